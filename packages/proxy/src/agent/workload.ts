/**
 * Who this proxy is, from the environment that Istio's injection gives its container: the xDS node, the addresses of istiod, the
 * SPIFFE name. Pure: files come in as text.
 * https://istio.io/latest/docs/reference/commands/pilot-agent/#envvars
 */
import { ENVOY_VERSION, ISTIO_VERSION, parseGoDuration } from "@argyle/core";
import type { Node } from "@argyle/xds";
import type { AgentSpec } from "./agent-spec.ts";

export interface Workload {
  readonly node: Node;
  readonly type: "sidecar" | "router";
  readonly namespace: string;
  readonly spiffeId: string;
  /** host:port */
  readonly discoveryAddress: string;
  readonly caAddress: string;
  readonly certificateTtlSeconds: number;
}

export interface WorkloadFiles {
  readonly labels: string;
  readonly annotations: string;
}

const DEFAULT_ISTIOD = "istiod.istio-system.svc:15012";
const META = "ISTIO_META_";
const META_JSON = "ISTIO_METAJSON_";

/** Istio's filters beyond vanilla Envoy that our proxy has; istiod sends them only to nodes that announce them. */
const OWN_FILTERS = "istio.stats,istio.alpn,envoy.filters.http.peer_metadata,istio.metadata_exchange";

export function describeWorkload(spec: AgentSpec, files: WorkloadFiles): Workload {
  const { env } = spec;
  const type = spec.args.includes("router") ? "router" : "sidecar";
  const namespace = env.POD_NAMESPACE ?? "default";
  const pod = env.POD_NAME ?? spec.podIP;
  const ip = env.INSTANCE_IP ?? spec.podIP;
  const trustDomain = env.TRUST_DOMAIN ?? "cluster.local";
  const serviceAccount = env.SERVICE_ACCOUNT ?? "default";
  const proxyConfig = objectOf(env.PROXY_CONFIG);
  const labels = parseDownwardFile(files.labels);
  const metadata = {
    ...metadataOf(env),
    ...objectField(proxyConfig.proxyMetadata),
    NAME: pod,
    NAMESPACE: namespace,
    INSTANCE_IPS: ip,
    SERVICE_ACCOUNT: serviceAccount,
    LABELS: labels,
    ANNOTATIONS: parseDownwardFile(files.annotations),
    CLUSTER_ID: env.ISTIO_META_CLUSTER_ID ?? "Kubernetes",
    ISTIO_VERSION,
    ENVOY_STATUS_PORT: 15021,
    ENVOY_PROMETHEUS_PORT: 15090,
    PILOT_SAN: ["istiod.istio-system.svc"],
    PROXY_CONFIG: proxyConfig,
    ...(env.HOST_IP === undefined ? {} : { HOST_IP: env.HOST_IP }),
    ARGYLE_FILTERS: OWN_FILTERS,
  };
  const workloadName = env.ISTIO_META_WORKLOAD_NAME ?? "istio-proxy";
  const [major = "1", minor = "0", patch = "0"] = ENVOY_VERSION.split(".");
  const discoveryAddress = textField(proxyConfig.discoveryAddress) ?? DEFAULT_ISTIOD;
  return {
    type,
    namespace,
    discoveryAddress,
    caAddress: env.CA_ADDR ?? discoveryAddress,
    spiffeId: `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`,
    certificateTtlSeconds: ttlOf(env.SECRET_TTL),
    node: {
      id: `${type}~${ip}~${pod}.${namespace}~${domainOf(spec.args, namespace)}`,
      cluster: `${labels.app ?? workloadName}.${namespace}`,
      metadata,
      locality: localityOf(labels["istio-locality"]),
      user_agent_name: "envoy",
      user_agent_build_version: {
        version: { major_number: Number(major), minor_number: Number(minor), patch: Number(patch) },
        metadata: { "build.type": "RELEASE", "build.label": "argyle" },
      },
    },
  };
}

/** The downward API's file form: one `key="value"` a line, the value quoted as in Go. */
export function parseDownwardFile(text: string): Readonly<Record<string, string>> {
  const pairs: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const equals = line.indexOf("=");
    if (equals <= 0) continue;
    pairs[line.slice(0, equals)] = unquote(line.slice(equals + 1));
  }
  return pairs;
}

/** Go's quoting differs from JSON's in \x.., \a and \v, which labels cannot hold; annotations with them stay as written. */
function unquote(quoted: string): string {
  try {
    const value: unknown = JSON.parse(quoted);
    return typeof value === "string" ? value : quoted;
  } catch {
    return quoted;
  }
}

function metadataOf(env: Readonly<Record<string, string>>): Record<string, unknown> {
  const metadata: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(env)) {
    if (name.startsWith(META_JSON)) Object.assign(metadata, objectOf(value));
    else if (name.startsWith(META)) metadata[name.slice(META.length)] = value;
  }
  return metadata;
}

function domainOf(args: readonly string[], namespace: string): string {
  const index = args.indexOf("--domain");
  const given = index === -1 ? args.find((arg) => arg.startsWith("--domain="))?.slice(9) : args[index + 1];
  return (given ?? "$(POD_NAMESPACE).svc.cluster.local").replace("$(POD_NAMESPACE)", namespace);
}

/** `region.zone.sub_zone` or `region/zone/sub_zone`. */
function localityOf(label: string | undefined): NonNullable<Node["locality"]> {
  const [region, zone, subZone] = (label ?? "").split(/[./]/);
  return {
    ...(region === undefined || region === "" ? {} : { region }),
    ...(zone === undefined ? {} : { zone }),
    ...(subZone === undefined ? {} : { sub_zone: subZone }),
  };
}

function ttlOf(text: string | undefined): number {
  const ms = text === undefined ? undefined : parseGoDuration(text);
  return ms === undefined || ms <= 0 ? 86_400 : ms / 1000;
}

function objectOf(json: string | undefined): Readonly<Record<string, unknown>> {
  if (json === undefined) return {};
  try {
    return objectField(JSON.parse(json));
  } catch {
    return {};
  }
}

function objectField(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}

function textField(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
