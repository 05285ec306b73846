/** A Namespace is labelled with its own name and starts Active. Source: Kubernetes documentation, "Namespaces", automatic labelling. */
import { mapMember, type Tree, treeAt, withDefaults } from "../tree.ts";

export function namespaceDefaults(namespace: Tree): Tree {
  const { name } = treeAt(namespace.metadata);
  const labelled =
    typeof name !== "string" || name === ""
      ? namespace
      : mapMember(namespace, "metadata", (metadata) =>
          mapMember(withDefaults(metadata, { labels: {} }), "labels", (labels) =>
            withDefaults(labels, { "kubernetes.io/metadata.name": name }),
          ),
        );
  return mapMember(withDefaults(labelled, { spec: {}, status: {} }), "status", (status) =>
    withDefaults(status, { phase: "Active" }),
  );
}
