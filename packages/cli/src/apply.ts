/** Applies our own manifests as `kubectl apply --server-side` would: one PATCH an object, in the order of the files. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { MeshError } from "@argyle/core";
import type { KubeClient } from "@argyle/kube-client";
import { findResource, type KubeObject } from "@argyle/kube-types";
import { parseAllDocuments } from "yaml";

/** Every object of a manifest file, or of a folder's files in the order of their names (namespaces first). */
export function readManifests(path: string): readonly KubeObject[] {
  const files = statSync(path).isDirectory()
    ? readdirSync(path)
        .filter((name) => /\.ya?ml$/.test(name))
        .sort()
        .map((name) => join(path, name))
    : [path];
  const objects = files.flatMap((file) =>
    parseAllDocuments(readFileSync(file, "utf8")).flatMap((document) => {
      if (document.errors[0] !== undefined) {
        throw new MeshError(`${file}: ${document.errors[0].message}`, { code: "manifest.malformed" });
      }
      const value = document.toJS() as KubeObject | null;
      return value === null ? [] : [value];
    }),
  );
  return [...objects.filter((o) => o.kind === "Namespace"), ...objects.filter((o) => o.kind !== "Namespace")];
}

export async function applyObjects(client: KubeClient, objects: readonly KubeObject[]): Promise<void> {
  for (const object of objects) {
    const resource = findResource(object.apiVersion, object.kind);
    if (resource === undefined) {
      throw new MeshError(`${object.apiVersion} ${object.kind} ${object.metadata.name}: this kind is not served`, {
        code: "manifest.kind",
      });
    }
    const { name, namespace = "default" } = object.metadata;
    const ref = resource.namespaced ? { name, namespace } : { name };
    await client.patch(resource, ref, "apply", object, { fieldManager: "argyle", force: true });
  }
}
