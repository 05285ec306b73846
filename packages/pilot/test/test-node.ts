/** A proxy for tests, as parse of its node id would give it. */
import type { ProxyNode } from "../src/serve/config-source.ts";

export function testNode(fields: {
  readonly type?: "sidecar" | "router";
  readonly ip: string;
  readonly name: string;
  readonly namespace: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly filters?: readonly string[];
}): ProxyNode {
  const type = fields.type ?? "sidecar";
  return {
    id: `${type}~${fields.ip}~${fields.name}.${fields.namespace}~${fields.namespace}.svc.cluster.local`,
    type,
    ip: fields.ip,
    name: fields.name,
    namespace: fields.namespace,
    cluster: `${fields.name}.${fields.namespace}`,
    labels: fields.labels ?? {},
    metadata: { WORKLOAD_NAME: fields.name },
    locality: {},
    userAgent: "envoy",
    istioVersion: "1.28.0",
    filters: new Set(fields.filters ?? []),
  };
}
