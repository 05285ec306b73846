/** Puts the mesh's root certificate into every namespace, as ConfigMap `istio-ca-root-cert`: pods verify istiod with it. */
import type { Clock, Logger } from "@argyle/core";
import {
  createInformer,
  createReconciler,
  type Informer,
  isAlreadyExists,
  isNotFound,
  type KubeClient,
} from "@argyle/kube-client";
import { type ConfigMap, type Namespace, resourceOf } from "@argyle/kube-types";

export const ROOT_CERT_CONFIG_MAP = "istio-ca-root-cert";

export interface RootCertOptions {
  readonly client: KubeClient;
  readonly namespaces: Informer<Namespace>;
  readonly rootCertPem: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Creates or corrects the ConfigMap of one namespace. */
export async function reconcileRootCert(client: KubeClient, namespace: string, rootCertPem: string): Promise<void> {
  const resource = resourceOf("ConfigMap");
  const data = { "root-cert.pem": rootCertPem };
  const found = await client.find<ConfigMap>(resource, { namespace, name: ROOT_CERT_CONFIG_MAP });
  if (found?.data?.["root-cert.pem"] === rootCertPem) return;
  try {
    if (found === undefined) {
      await client.create(resource, {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: ROOT_CERT_CONFIG_MAP, namespace, labels: { "istio.io/config": "true" } },
        data,
      } as ConfigMap);
    } else await client.patch(resource, { namespace, name: ROOT_CERT_CONFIG_MAP }, "merge", { data });
  } catch (error) {
    // Another istiod was faster, or the namespace is going away: neither leaves anything to do.
    if (!isAlreadyExists(error) && !isNotFound(error)) throw error;
  }
}

export function startRootCertController(options: RootCertOptions): { close(): Promise<void> } {
  const { client, namespaces, rootCertPem, log } = options;
  const reconciler = createReconciler({
    name: "root-cert",
    clock: options.clock,
    log,
    async reconcile(key: string) {
      const namespace = namespaces.get(key);
      if (namespace === undefined || namespace.metadata.deletionTimestamp !== undefined) return undefined;
      await reconcileRootCert(client, key, rootCertPem);
      return undefined;
    },
  });
  const configMaps = createInformer<ConfigMap>({
    client,
    resource: resourceOf("ConfigMap"),
    fieldSelector: `metadata.name=${ROOT_CERT_CONFIG_MAP}`,
    clock: options.clock,
    log,
  });
  reconciler.watch(namespaces, (namespace) => [namespace.metadata.name]);
  reconciler.watch(configMaps, (configMap) => [configMap.metadata.namespace ?? ""]);
  log.debug("root certificates are kept in every namespace", { configMap: ROOT_CERT_CONFIG_MAP });
  return {
    async close() {
      await Promise.all([reconciler.close(), configMaps.close()]);
    },
  };
}
