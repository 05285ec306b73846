/**
 * Istio's integration tests of security: workloads a and b of namespace ns1 and a of ns2, policies, one request to b, and whether it is let in.
 * Replayed without sockets: whether the client uses mutual TLS, the filter chain that it meets at b's sidecar, and the RBAC filters there, which
 * decide by the facts of that connection and request.
 */
import { createHeaderBlock } from "@argyle/codec";
import type { KubeObject } from "@argyle/kube-types";
import { Fields } from "../../packages/proxy/src/config/fields.ts";
import { compileHcm } from "../../packages/proxy/src/config/hcm-config.ts";
import type { RequestView } from "../../packages/proxy/src/config/header-matcher.ts";
import { compileRbac, decideRbac, type RbacConfig } from "../../packages/proxy/src/filters/rbac.ts";
import type { RbacFacts } from "../../packages/proxy/src/filters/rbac-matcher.ts";
import { normalizePath } from "../../packages/proxy/src/http/path-normalization.ts";
import { authenticate } from "./authenticate.ts";
import { type Case, difference, judge, type Verdict } from "./case.ts";
import { echoMesh, endpointSlices, servicePort, workloadPort } from "./echo-mesh.ts";
import { isMutual } from "./echo-upstream.ts";
import { objectsOf, type ProxyFields, translate } from "./mesh-translation.ts";
import type { PeerFolder } from "./peer-folder.ts";
import { type ChainView, simulateCall } from "./simulate-call.ts";

interface SecurityCase {
  readonly id: string;
  readonly configs: readonly string[];
  readonly from: string;
  readonly request: {
    readonly to?: string;
    readonly port?: string;
    readonly protocol?: string;
    readonly path?: string;
    readonly method?: string;
    readonly headers?: Readonly<Record<string, readonly string[]>>;
  };
  readonly expect: Readonly<Record<string, unknown>>;
}

interface SecuritySet {
  readonly configs: Readonly<
    Record<string, { readonly yaml?: string; readonly templateFor?: string; readonly meshConfigPatch?: string }>
  >;
  readonly cases: readonly SecurityCase[];
}

/** The addresses that the data's conditions speak of. */
const ADDRESSES: Readonly<Record<string, string>> = {
  "a.ns1": "10.10.0.1",
  "b.ns1": "10.10.0.2",
  "a.ns2": "10.10.0.10",
};
/** The test's key server in the cluster has the keys of the set of tokens; what is outside cannot be fetched. */
const KEYS = "../istio-jwt/jwks.json";
const JWKS_URI = /jwksUri: "?(http:\/\/[^"\s]+\.svc\.cluster\.local[^"\s]*)/g;
const GATEWAY = "ingressgateway";
const GRPC_PATH = "/proto.EchoTestService/Echo";

export async function* replay(dir: PeerFolder): AsyncGenerator<Case> {
  const set = dir.json("cases.json") as SecuritySet;
  const keys = dir.has(KEYS) ? dir.text(KEYS) : undefined;
  for (const one of set.cases) yield await judge(one.id, () => verdictOf(set, keys, one));
}

function verdictOf(set: SecuritySet, keys: string | undefined, one: SecurityCase): Verdict {
  const configs = one.configs.map((name) => set.configs[name] ?? {});
  const text = configs.map(({ yaml = "" }) => yaml).join("\n---\n");
  if (/egressgateway/.test(text)) return { missing: "a replay of two hops: an egress gateway with filters of its own" };
  const uris = [...text.matchAll(JWKS_URI)].map((match) => match[1] ?? "");
  if (uris.length > 0 && keys === undefined) return { missing: "the keys of the test's key server" };
  const jwks = new Map(uris.map((uri) => [uri, keys ?? ""]));
  const objects = world(objectsOf(text, "ns1"));
  const meshConfig = configs.map(({ meshConfigPatch = "" }) => meshConfigPatch).join("\n");
  const met = reach(objects, meshConfig, jwks, one);
  if ("problem" in met) return [met.problem];
  return compare(met, one.expect);
}

interface Met {
  /** Of an answer that is not b's. */
  readonly refusal: number | undefined;
  readonly request: RequestView | undefined;
  readonly isTcp: boolean;
  readonly isAllowed: boolean;
  readonly path: string;
}

function reach(
  objects: readonly KubeObject[],
  meshConfig: string,
  jwks: ReadonlyMap<string, string>,
  { from, request }: SecurityCase,
): Met | { readonly problem: string } {
  const isGateway = from === GATEWAY;
  const port = (request.port ?? "http").toLowerCase();
  const isTcp = request.protocol === "TCP";
  const isGrpc = request.protocol === "GRPC";
  const client = translate(objects, meshConfig, nodeOf(from));
  const host = request.headers?.Host?.[0];
  let cluster = `outbound|${servicePort(port) ?? 80}||b.ns1.svc.cluster.local`;
  if (isGateway) {
    const routed = simulateCall(client, true, {
      port: 80,
      protocol: "http",
      hostHeader: host ?? "",
      path: request.path ?? "/",
    });
    if (routed.cluster === undefined) return { problem: `the gateway: ${routed.error ?? "no cluster"}` };
    cluster = routed.cluster;
  }
  const mutual = isMutual(client, cluster);
  const server = translate(objects, meshConfig, nodeOf("b.ns1"), jwks);
  const targetPort = workloadPort(port) ?? 0;
  const outcome = simulateCall(server, false, {
    callMode: "inbound",
    address: ADDRESSES["b.ns1"] ?? "",
    port: targetPort,
    protocol: isTcp ? "tcp" : isGrpc ? "http2" : "http",
    tls: mutual ? "mtls" : "plaintext",
  });
  const { chain } = outcome;
  if (chain === undefined) return { problem: `the sidecar of b: ${outcome.error ?? "no chain"}` };
  return decide(chain, {
    from,
    isTcp,
    mutual,
    targetPort,
    cluster,
    // Clients of Go send no fragment.
    path: isGrpc ? GRPC_PATH : (request.path ?? "/").replace(/#.*/, ""),
    method: isGrpc ? "POST" : (request.method ?? "GET"),
    authority: host ?? "b",
    headers: Object.entries(request.headers ?? {}).flatMap(([name, values]) =>
      name.toLowerCase() === "host" ? [] : values.map((value) => [name.toLowerCase(), value] as const),
    ),
  });
}

interface Arrival {
  readonly from: string;
  readonly isTcp: boolean;
  readonly mutual: boolean;
  readonly targetPort: number;
  readonly cluster: string;
  readonly path: string;
  readonly method: string;
  readonly authority: string;
  readonly headers: readonly (readonly [string, string])[];
}

function decide(chain: ChainView, arrival: Arrival): Met | { readonly problem: string } {
  const sink = { problems: [] as { path: string; message: string }[] };
  const filters = (chain.filters ?? []).flatMap(({ typed_config: config }) => (config === undefined ? [] : [config]));
  const network = filters.filter((filter) => filter["@type"]?.endsWith("network.rbac.v3.RBAC"));
  const manager = filters.find((filter) => filter["@type"]?.endsWith(".HttpConnectionManager"));
  const hcm = manager === undefined ? undefined : compileHcm(new Fields(manager, "", sink));
  let { path } = arrival;
  if (hcm !== undefined) {
    const normal = normalizePath(path, hcm.path);
    if (normal.kind !== "path") return { problem: `the path is ${normal.kind}` };
    path = normal.path;
  }
  const authenticated = manager === undefined ? undefined : authenticate(manager, requestOf({ ...arrival, path }));
  if (authenticated?.kind === "refused")
    return { isTcp: false, isAllowed: false, path, refusal: authenticated.status, request: undefined };
  const request = authenticated?.request;
  const facts = factsOf({ ...arrival, path }, request);
  const rbac: readonly RbacConfig[] = [
    ...network.map((filter) => compileRbac(new Fields(filter, "", sink))),
    ...(hcm?.filters ?? []).flatMap((filter) => (filter.kind === "rbac" ? [filter.config] : [])),
  ];
  const [problem] = sink.problems;
  if (problem !== undefined) return { problem: `${problem.path}: ${problem.message}` };
  const isAllowed = rbac.every(({ rules }) => rules === undefined || decideRbac(rules, facts).isAllowed);
  return { isTcp: hcm === undefined, isAllowed, path, refusal: isAllowed ? undefined : 403, request };
}

function requestOf(arrival: Arrival): RequestView {
  const { method, path, authority } = arrival;
  return { method, path, authority, scheme: "http", headers: createHeaderBlock(arrival.headers) };
}

function factsOf(arrival: Arrival, request: RequestView | undefined): RbacFacts {
  const { from, mutual, targetPort, cluster } = arrival;
  const [account = "", namespace = ""] = from === GATEWAY ? ["istio-ingressgateway", "istio-system"] : from.split(".");
  const ip = ADDRESSES[from] ?? "10.10.0.99";
  return {
    destinationIp: ADDRESSES["b.ns1"] ?? "",
    destinationPort: targetPort,
    directRemoteIp: ip,
    remoteIp: ip,
    serverName: mutual ? cluster.replaceAll("|", "_.") : "",
    peer: mutual
      ? { uris: [`spiffe://cluster.local/ns/${namespace}/sa/${account}`], dnsNames: [], subject: "" }
      : undefined,
    request,
    metadata: (filter) => request?.dynamicMetadata?.(filter, []),
  };
}

function compare(
  { isTcp, isAllowed, path, refusal, request }: Met,
  expect: Readonly<Record<string, unknown>>,
): Verdict {
  const out: string[] = [];
  for (const [name, want] of Object.entries(expect)) {
    switch (name) {
      case "allow":
        out.push(...difference(name, isAllowed, want));
        break;
      case "status":
        if (isTcp) out.push("a TCP connection has no status");
        else out.push(...difference(name, refusal ?? 200, want));
        break;
      case "upstreamSawURL":
        out.push(...difference(name, isAllowed ? path : "denied", want));
        break;
      case "upstreamSawRequestHeader":
        for (const [header, value] of Object.entries(want as Readonly<Record<string, string>>))
          out.push(...difference(header, request?.headers.get(header.toLowerCase()) ?? "", value));
        break;
      case "noError":
        break;
      default:
        return { missing: `the expectation ${name}` };
    }
  }
  return out;
}

function nodeOf(name: string): ProxyFields {
  if (name === GATEWAY)
    return { type: "router", ip: "10.10.0.99", namespace: "istio-system", labels: { istio: "ingressgateway" } };
  const [app = "", namespace = ""] = name.split(".");
  return { type: "sidecar", ip: ADDRESSES[name] ?? "", namespace, labels: { app } };
}

/** Both namespaces with the data's addresses; a Service of ns2 must not have one of ns1. */
function world(given: readonly KubeObject[]): readonly KubeObject[] {
  const objects = ["ns1", "ns2"].flatMap((namespace) =>
    echoMesh(namespace).map((object): KubeObject => {
      const [app = ""] = object.metadata.name.split("-");
      const ip = ADDRESSES[`${app}.${namespace}`];
      const { spec, status } = object as { readonly spec?: { readonly clusterIP?: string }; readonly status?: object };
      if (object.kind === "Pod" && ip !== undefined)
        return { ...object, status: { ...status, podIP: ip } } as KubeObject;
      if (object.kind === "Service" && namespace === "ns2")
        return {
          ...object,
          spec: { ...spec, clusterIP: spec?.clusterIP?.replace("10.96.7.", "10.96.9.") },
        } as KubeObject;
      return object;
    }),
  );
  return [...objects, ...endpointSlices(objects), ...given];
}
