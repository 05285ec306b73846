/**
 * What every namespace gets: the ServiceAccount `default` and the ConfigMap `kube-root-ca.crt`. Both come back when somebody deletes them.
 * Source: Kubernetes, "Managing Service Accounts"; the root CA ConfigMap's bound-token documentation.
 */
import { createReconciler, isAlreadyExists, keyOf, objectKey } from "@argyle/kube-client";
import type { ConfigMap, KubeObject, Namespace, Resource, ServiceAccount } from "@argyle/kube-types";
import { type Controller, type ControllerContext, KINDS } from "./controller.ts";

const ROOT_CA = "kube-root-ca.crt";

export function createServiceAccountController(clusterCa: string): Controller {
  return {
    name: "serviceaccount-controller",
    needs: [KINDS.namespace, KINDS.serviceAccount, KINDS.configMap],
    start: (context) => start(context, clusterCa),
  };
}

function start(context: ControllerContext, clusterCa: string) {
  const { client } = context;
  const namespaces = context.informer<Namespace>(KINDS.namespace);
  const accounts = context.informer<ServiceAccount>(KINDS.serviceAccount);
  const configMaps = context.informer<ConfigMap>(KINDS.configMap);

  const createMissing = async (resource: Resource, object: KubeObject) => {
    try {
      await client.create(resource, object);
    } catch (thrown) {
      if (!isAlreadyExists(thrown)) throw thrown;
    }
  };

  const reconciler = createReconciler({
    name: "serviceaccount-controller",
    clock: context.clock,
    log: context.log,
    random: context.random,
    concurrency: 4,
    async reconcile(name) {
      const namespace = namespaces.get(name);
      if (namespace === undefined || namespace.metadata.deletionTimestamp !== undefined) return undefined;
      if (accounts.get(keyOf(name, "default")) === undefined)
        await createMissing(KINDS.serviceAccount, {
          apiVersion: "v1",
          kind: "ServiceAccount",
          metadata: { name: "default", namespace: name },
        });
      const held = configMaps.get(keyOf(name, ROOT_CA));
      const data = { "ca.crt": clusterCa };
      if (held === undefined) {
        const metadata = { name: ROOT_CA, namespace: name };
        await createMissing(KINDS.configMap, { apiVersion: "v1", kind: "ConfigMap", metadata, ...{ data } });
      } else if (held.data?.["ca.crt"] !== clusterCa)
        await client.patch(KINDS.configMap, { namespace: name, name: ROOT_CA }, "merge", { data });
      return undefined;
    },
  });
  reconciler.watch(namespaces, (namespace) => [objectKey(namespace)]);
  reconciler.watch(accounts, (account) =>
    account.metadata.name === "default" ? [account.metadata.namespace ?? ""] : [],
  );
  reconciler.watch(configMaps, (map) => (map.metadata.name === ROOT_CA ? [map.metadata.namespace ?? ""] : []));
  return { close: reconciler.close };
}
