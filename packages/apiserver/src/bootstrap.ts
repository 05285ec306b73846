/**
 * What every cluster has from its first second on: the four namespaces and the Service `kubernetes` with its endpoints, which point at
 * this server. Written directly (no admission), again at each start because the port may differ.
 */
import { randomUUID } from "node:crypto";
import { type Clock, rfc3339Seconds } from "@argyle/core";
import { apiVersionOf, type KubeObject, type Resource, resourceOf } from "@argyle/kube-types";
import { equalJson, type JsonObject, objectOf } from "./json.ts";
import type { Store } from "./storage.ts";
import { KUBERNETES_SERVICE_IP } from "./strategy/service-allocator.ts";

const NAMESPACES = ["default", "kube-system", "kube-public", "kube-node-lease"];

export function bootstrapObjects(store: Store, clock: Clock, port: number): void {
  for (const name of NAMESPACES) {
    const namespace = resourceOf("Namespace");
    if (store.get(namespace, undefined, name) !== undefined) continue;
    put(store, clock, namespace, {
      metadata: { name, labels: { "kubernetes.io/metadata.name": name } },
      spec: { finalizers: ["kubernetes"] },
      status: { phase: "Active" },
    });
  }
  const metadata = { name: "kubernetes", namespace: "default" };
  const labels = { component: "apiserver", provider: "kubernetes" };
  put(store, clock, resourceOf("Service"), {
    metadata: { ...metadata, labels },
    spec: {
      clusterIP: KUBERNETES_SERVICE_IP,
      clusterIPs: [KUBERNETES_SERVICE_IP],
      internalTrafficPolicy: "Cluster",
      ipFamilies: ["IPv4"],
      ipFamilyPolicy: "SingleStack",
      ports: [{ name: "https", port: 443, protocol: "TCP", targetPort: port }],
      sessionAffinity: "None",
      type: "ClusterIP",
    },
    status: { loadBalancer: {} },
  });
  put(store, clock, resourceOf("Endpoints"), {
    metadata: { ...metadata, labels: { "endpointslice.kubernetes.io/skip-mirror": "true" } },
    subsets: [{ addresses: [{ ip: "127.0.0.1" }], ports: [{ name: "https", port, protocol: "TCP" }] }],
  });
  put(store, clock, resourceOf("EndpointSlice"), {
    metadata: { ...metadata, labels: { "kubernetes.io/service-name": "kubernetes" } },
    addressType: "IPv4",
    endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true } }],
    ports: [{ name: "https", port, protocol: "TCP" }],
  });
}

/** Creates the object, or brings an older one's content up to date. */
function put(store: Store, clock: Clock, resource: Resource, wanted: JsonObject): void {
  const { name, namespace, labels } = objectOf(wanted.metadata);
  const current = store.get(
    resource,
    typeof namespace === "string" ? namespace : undefined,
    typeof name === "string" ? name : "",
  );
  const metadata =
    current === undefined
      ? { ...objectOf(wanted.metadata), uid: randomUUID(), creationTimestamp: rfc3339Seconds(clock.now()) }
      : { ...current.metadata, labels };
  const object = { apiVersion: apiVersionOf(resource), kind: resource.kind, ...wanted, metadata };
  if (equalJson(object, current)) return;
  store.put(resource, object as unknown as KubeObject, "any");
}
