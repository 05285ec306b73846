/** istiod's translation for one proxy, from manifests: what the simulation and echo sets replay against. */

import type { KubeObject } from "@argyle/kube-types";
import {
  createConfigSource,
  createMeshCollections,
  type ProxyNode,
  parseMeshConfig,
  parseObjects,
} from "@argyle/pilot";
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE } from "@argyle/xds";
import { parseAllDocuments } from "yaml";

export interface ProxyFields {
  readonly type: "sidecar" | "router";
  readonly ip: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

export interface Translation {
  readonly listeners: ReadonlyMap<string, object>;
  route(name: string): object | undefined;
  cluster(name: string): object | undefined;
  /** The ClusterLoadAssignment of a cluster. */
  endpoints(cluster: string): object | undefined;
}

export function proxyNode(fields: ProxyFields): ProxyNode {
  const { type, ip, namespace, labels } = fields;
  return {
    id: `${type}~${ip}~app.${namespace}~${namespace}.svc.cluster.local`,
    type,
    ip,
    name: "app",
    namespace,
    cluster: `app.${namespace}`,
    labels,
    metadata: fields.metadata ?? {},
    locality: {},
    userAgent: "envoy",
    istioVersion: "1.28.0",
    filters: new Set(),
  };
}

/** Objects without a namespace are in `namespace`, as kubectl would put them. */
export function objectsOf(text: string, namespace: string): readonly KubeObject[] {
  return parseObjects(withoutDuplicates(text)).map((object) =>
    object.metadata.namespace === undefined ? { ...object, metadata: { ...object.metadata, namespace } } : object,
  );
}

/** Istio's harness takes the last of two equal keys; what applies manifests here refuses them. */
function withoutDuplicates(text: string): string {
  const documents = parseAllDocuments(text, { uniqueKeys: false });
  return [...documents].map((document) => JSON.stringify(document.toJS() ?? null)).join("\n---\n");
}

/** The kinds among the objects that istiod does not read. */
export function unknownKinds(objects: readonly KubeObject[], known: ReadonlySet<string>): readonly string[] {
  return [...new Set(objects.map(({ kind }) => kind))].filter((kind) => !known.has(kind));
}

export function translate(
  objects: readonly KubeObject[],
  meshConfig: string,
  fields: ProxyFields,
  jwks: ReadonlyMap<string, string> = new Map(),
): Translation {
  const source = createConfigSource(createMeshCollections(parseMeshConfig(meshConfig)));
  source.apply(objects.map((object) => ({ type: "set", object })));
  source.setJwks(jwks);
  const node = proxyNode(fields);
  return {
    listeners: source.resources(node, LISTENER_TYPE, "*"),
    route: (name) => source.resources(node, ROUTE_TYPE, new Set([name])).get(name),
    cluster: (name) => source.resources(node, CLUSTER_TYPE, new Set([name])).get(name),
    endpoints: (cluster) => source.resources(node, ENDPOINT_TYPE, new Set([cluster])).get(cluster),
  };
}
