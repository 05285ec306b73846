/**
 * The ServiceAccount admission of pods: `default` when none is named, refused when it is not there, and the projected volume with
 * token, CA and namespace in every container that mounts nothing at that path.
 * Source: Kubernetes documentation, "Managing Service Accounts", "Bound service account token volume mechanism".
 */
import type { Clock } from "@argyle/core";
import { type KubeObject, resourceOf } from "@argyle/kube-types";
import { at, ensureObject, isJsonObject, type JsonObject, listOf, textAt, textOf } from "../json.ts";
import { forbidden } from "../status.ts";
import { resourceKey, type Store } from "../storage.ts";
import { randomSuffix } from "../strategy/metadata.ts";
import type { WatchHub } from "../watch-hub.ts";

const MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount";
const PODS = resourceOf("Pod");
const SERVICE_ACCOUNTS = resourceOf("ServiceAccount");
/** One hour and the seven seconds by which Kubernetes recognises tokens of this volume. */
const TOKEN_SECONDS = 3607;

/** A pod that comes right after its namespace waits up to a second for the controllers to make `default`, as Kubernetes does. */
export function awaitDefaultServiceAccount(
  pod: JsonObject,
  deps: { readonly store: Store; readonly hub: WatchHub; readonly clock: Clock },
): Promise<void> {
  const namespace = textAt(pod, "metadata", "namespace") ?? "";
  const named = textAt(pod, "spec", "serviceAccountName") || "default";
  if (named !== "default" || deps.store.get(SERVICE_ACCOUNTS, namespace, "default") !== undefined)
    return Promise.resolve();
  return new Promise((resolve) => {
    const finish = () => {
      timer.cancel();
      stop();
      resolve();
    };
    const timer = deps.clock.after(1000, finish);
    const filter = {
      key: resourceKey(SERVICE_ACCOUNTS),
      namespace,
      matches: (object: KubeObject) => object.metadata.name === "default",
    };
    const stop = deps.hub.watch(filter, deps.store.revision(), finish);
  });
}

export function admitPodServiceAccount(pod: JsonObject, store: Store): void {
  const spec = ensureObject(pod, "spec");
  const annotations = at(pod, "metadata", "annotations");
  // Mirror pods are the kubelet's own: they have no service account.
  if (textAt(annotations, "kubernetes.io/config.mirror") !== undefined) return;
  const namespace = textAt(pod, "metadata", "namespace") ?? "";
  const podName = textAt(pod, "metadata", "name") ?? "";
  const name = textOf(spec.serviceAccountName) || textOf(spec.serviceAccount) || "default";
  spec.serviceAccountName = name;
  spec.serviceAccount = name;
  const account = store.get(SERVICE_ACCOUNTS, namespace, name);
  if (account === undefined) {
    throw forbidden(
      PODS,
      podName,
      `error looking up service account ${namespace}/${name}: serviceaccount "${name}" not found`,
    );
  }
  if (listOf(spec.imagePullSecrets).length === 0) {
    const secrets = listOf(at(account, "imagePullSecrets"));
    if (secrets.length > 0) spec.imagePullSecrets = secrets;
  }
  if (wantsToken(spec, account)) mountToken(spec);
}

function wantsToken(spec: JsonObject, account: KubeObject): boolean {
  if (typeof spec.automountServiceAccountToken === "boolean") return spec.automountServiceAccountToken;
  return at(account, "automountServiceAccountToken") !== false;
}

function mountToken(spec: JsonObject): void {
  const containers = [...listOf(spec.initContainers), ...listOf(spec.containers)].filter(isJsonObject);
  const volumes = [...listOf(spec.volumes)];
  const existing = volumes.map((v) => textAt(v, "name")).find((name) => name?.startsWith("kube-api-access-"));
  const volume = existing ?? `kube-api-access-${randomSuffix()}`;
  let isUsed = false;
  for (const container of containers) {
    const mounts = listOf(container.volumeMounts);
    if (mounts.some((mount) => textAt(mount, "mountPath") === MOUNT_PATH)) continue;
    container.volumeMounts = [...mounts, { name: volume, readOnly: true, mountPath: MOUNT_PATH }];
    isUsed = true;
  }
  if (!isUsed || existing !== undefined) return;
  spec.volumes = [
    ...volumes,
    {
      name: volume,
      projected: {
        defaultMode: 420,
        sources: [
          { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: "token" } },
          { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
          {
            downwardAPI: {
              items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }],
            },
          },
        ],
      },
    },
  ];
}
