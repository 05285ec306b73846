/**
 * Istio's integration tests of traffic: echo applications, manifests, one request, and what the client and the application saw. Replayed
 * without sockets: istiod's translation, the proxy's route table, fault and CORS rules. What only a connection shows (protocol, ALPN,
 * mTLS, which of many hosts answered) is "n/a" here.
 */
import type { KubeObject } from "@argyle/kube-types";
import { WATCHED_KINDS } from "@argyle/pilot";
import {
  addCorsHeaders,
  type CorsConfig,
  isAllowedOrigin,
  preflightHeaders,
} from "../../packages/proxy/src/filters/cors.ts";
import { decideFault } from "../../packages/proxy/src/filters/fault.ts";
import { type Case, difference, judge, type Verdict } from "./case.ts";
import { echoMesh, echoNode, endpointSlices, resolveName, servicePort, withClusterIps } from "./echo-mesh.ts";
import { beyondGateway, hostsOf, isMutual } from "./echo-upstream.ts";
import { headerOf, type RouteAnswer } from "./evaluate-route.ts";
import { objectsOf, type Translation, translate, unknownKinds } from "./mesh-translation.ts";
import type { PeerFolder } from "./peer-folder.ts";
import { type Call, type Outcome, simulateCall } from "./simulate-call.ts";

interface EchoCase {
  readonly id: string;
  readonly configs: readonly string[];
  readonly from: string;
  readonly upstreamSkipped?: string;
  readonly request: {
    readonly to?: string;
    readonly address?: string;
    readonly port?: string;
    readonly servicePort?: number;
    readonly protocol?: string;
    readonly scheme?: string;
    readonly path?: string;
    readonly method?: string;
    readonly headers?: Readonly<Record<string, readonly string[]>>;
    readonly http2?: boolean;
    readonly followRedirects?: boolean;
    readonly sni?: string;
    readonly alpn?: readonly string[];
    readonly count?: number;
  };
  readonly expect: Readonly<Record<string, unknown>>;
}

interface EchoSet {
  readonly configs: Readonly<Record<string, { readonly namespace?: string; readonly yaml: string }>>;
  readonly cases: readonly EchoCase[];
}

const KNOWN_KINDS: ReadonlySet<string> = new Set([...WATCHED_KINDS, "Deployment", "ConfigMap"]);
const SEEN_HERE: ReadonlySet<string> = new Set([
  "status",
  "upstreamSawRequestHeader",
  "upstreamSawHost",
  "upstreamSawURL",
  "responseHeader",
  "mtls",
  "allResponsesSameHost",
  "error",
]);

export async function* replay(dir: PeerFolder): AsyncGenerator<Case> {
  for (const file of dir.files(".json")) {
    const set = dir.json(file) as EchoSet;
    for (const one of set.cases) yield await judge(one.id, () => verdictOf(set, one));
  }
}

function verdictOf(set: EchoSet, one: EchoCase): Verdict {
  const text = one.configs.map((name) => set.configs[name]?.yaml ?? "").join("\n---\n");
  const namespace = set.configs[one.configs[0] ?? ""]?.namespace ?? "ns1";
  const missing = missingOf(one, text);
  if (missing !== undefined) return { missing };
  const given = objectsOf(text, namespace).map(withSecretText);
  const kinds = unknownKinds(given, KNOWN_KINDS);
  if (kinds.length > 0) return { missing: `istiod does not read the kind ${kinds.join(", ")}` };

  const services = withClusterIps([...echoMesh(namespace), ...given]);
  const objects = [...services, ...endpointSlices(services)];
  const isGateway = one.from === "ingressgateway";
  const [app = ""] = one.from.split(".");
  const mesh = translate(
    objects,
    "",
    isGateway
      ? { type: "router", ip: "10.244.7.99", namespace: "istio-system", labels: { istio: "ingressgateway" } }
      : echoNode(app, namespace),
  );
  const call = callOf(one, namespace, isGateway, objects);
  let seen = observe(mesh, isGateway, call);
  const location = seen.answer?.location ?? "";
  if (one.request.followRedirects === true && location !== "")
    seen = observe(mesh, isGateway, { ...call, path: location.replace(/^\w+:\/\/[^/]*/, "") });
  if (one.expect.error === true)
    return failure(seen, beyondGateway(objects, namespace, mesh, seen.outcome.cluster ?? "", call));
  return [...differences(seen, one.expect, call), ...upstreamDifferences(mesh, seen.outcome, one)];
}

function missingOf({ request, expect, upstreamSkipped, from }: EchoCase, text: string): string | undefined {
  if (upstreamSkipped !== undefined) return `nothing: Istio skips the case (${upstreamSkipped})`;
  if (/^kind: EnvoyFilter/m.test(text)) return "EnvoyFilter in istiod";
  if (from.startsWith("vm.")) return "virtual machines as workloads";
  if (request.http2 === true || request.scheme === "grpc") return "HTTP/2 in the proxy";
  if (request.scheme === "dns") return "a DNS proxy in the sidecar";
  const unseen = Object.keys(expect).filter((name) => !SEEN_HERE.has(name));
  if (unseen.length > 0) return `sockets: this replay makes no connection, which ${unseen.join(", ")} needs`;
  const headers = Object.keys((expect.upstreamSawRequestHeader ?? {}) as object);
  if (headers.some((name) => name.toLowerCase().startsWith("x-envoy-")))
    return "sockets: this replay makes no connection, which headers of the proxy itself need";
  return undefined;
}

interface Observed {
  readonly status: number;
  readonly outcome: Outcome;
  readonly answer: RouteAnswer | undefined;
  readonly hasEndpoints: boolean;
}

function observe(mesh: Translation, isGateway: boolean, call: Call): Observed {
  const outcome = simulateCall(mesh, isGateway, call);
  const { answer } = outcome;
  if (outcome.refusal !== undefined) return { status: outcome.refusal, outcome, answer, hasEndpoints: false };
  if (answer === undefined) return { status: 0, outcome, answer, hasEndpoints: hasEndpoints(mesh, outcome.cluster) };
  const seen = { outcome, answer, hasEndpoints: hasEndpoints(mesh, outcome.cluster) };
  const cors = answer.filters.find((filter) => filter.kind === "cors");
  const origin = headerOf(answer.request, "origin");
  if (cors !== undefined && origin !== undefined && isAllowedOrigin(cors.config, origin)) {
    if (isPreflight(call)) return { ...seen, status: 200, answer: withHeaders(answer, cors.config, origin) };
    addCorsHeaders(cors.config, origin, answer.response.headers);
  }
  const fault = answer.filters.find((filter) => filter.kind === "fault");
  const status = fault === undefined ? 0 : decideFault(fault.config, answer.request, () => 0).abortStatus;
  if (status !== 0) return { ...seen, status };
  return { ...seen, status: answer.kind === "route" && !seen.hasEndpoints ? 503 : answer.status };
}

/** A connection that is to fail does so at the gateway, for want of a host, or at the sidecar of every host. */
function failure({ outcome }: Observed, beyond: readonly Outcome[]): Verdict {
  if (outcome.error !== undefined) return [];
  return beyond
    .filter(({ error }) => error === undefined)
    .map(({ cluster }) => `the connection reaches ${cluster ?? "the program"} without a certificate`);
}

function upstreamDifferences(mesh: Translation, outcome: Outcome, { expect, request }: EchoCase): readonly string[] {
  const out: string[] = [];
  if (expect.mtls !== undefined) out.push(...difference("mtls", isMutual(mesh, outcome.cluster ?? ""), expect.mtls));
  if (expect.allResponsesSameHost !== undefined) {
    const hosts = new Set(hostsOf(mesh, outcome, Math.max(10, request.count ?? 10)));
    out.push(...difference("allResponsesSameHost", hosts.size === 1, expect.allResponsesSameHost));
  }
  return out;
}

function isPreflight(call: Call): boolean {
  return (
    call.method === "OPTIONS" &&
    Object.keys(call.headers ?? {}).some((name) => /^access-control-request-method$/i.test(name))
  );
}

function withHeaders(answer: RouteAnswer, cors: CorsConfig, origin: string): RouteAnswer {
  for (const [name, value] of preflightHeaders(cors, origin)) answer.response.headers.set(name, value);
  return answer;
}

function hasEndpoints(mesh: Translation, cluster: string | undefined): boolean {
  if (cluster === undefined || !cluster.startsWith("outbound|")) return false;
  const { endpoints = [] } = (mesh.endpoints(cluster) ?? {}) as {
    readonly endpoints?: readonly { readonly lb_endpoints?: readonly unknown[] }[];
  };
  return endpoints.some((locality) => (locality.lb_endpoints ?? []).length > 0);
}

function callOf({ request }: EchoCase, namespace: string, isGateway: boolean, objects: readonly KubeObject[]): Call {
  const [app = ""] = (request.to ?? "").split(".");
  const protocol = (request.protocol ?? request.port ?? "http").toLowerCase();
  const isTls = protocol.startsWith("https");
  const port = isGateway ? (isTls ? 443 : 80) : (request.servicePort ?? servicePort(request.port ?? "") ?? 0);
  const hosts = Object.entries(request.headers ?? {}).filter(([name]) => name.toLowerCase() === "host");
  const address = request.address ?? `${app}.${namespace}.svc.cluster.local`;
  const found = resolveName(objects, namespace, request.to === undefined ? address : app);
  return {
    port,
    protocol: protocol.startsWith("tcp") ? "tcp" : "http",
    tls: isTls ? "tls" : "plaintext",
    path: request.path ?? "/",
    method: request.method ?? "GET",
    hostHeader: hosts[0]?.[1][0] ?? address,
    headers: Object.fromEntries(
      Object.entries(request.headers ?? {}).flatMap(([name, values]) =>
        name.toLowerCase() === "host" ? [] : [[name, values[0] ?? ""]],
      ),
    ),
    ...(request.sni === undefined ? {} : { sni: request.sni, alpn: request.alpn?.[0] ?? "" }),
    ...(isGateway || found === undefined ? {} : { address: found }),
  };
}

function differences(seen: Observed, expect: Readonly<Record<string, unknown>>, call: Call): readonly string[] {
  const { answer, outcome } = seen;
  const problem = outcome.error !== undefined && answer === undefined ? [`the call meets: ${outcome.error}`] : [];
  const out: string[] = [...problem, ...(answer?.problems ?? [])];
  for (const [name, want] of Object.entries(expect)) {
    switch (name) {
      case "status":
        // A TCP connection has no status: 200 says that it reached the application.
        if (answer === undefined && outcome.refusal === undefined) {
          if (problem.length === 0 && !seen.hasEndpoints) out.push(`no endpoint in ${outcome.cluster ?? "no cluster"}`);
        } else out.push(...difference(name, seen.status, want));
        break;
      case "upstreamSawHost":
        out.push(...difference(name, answer?.authority, want));
        break;
      case "upstreamSawURL":
        out.push(...difference(name, answer?.path, want));
        break;
      case "upstreamSawRequestHeader":
        out.push(...headerDifferences("the upstream's header", answer?.request, want));
        break;
      // Seen upstream.
      case "mtls":
      case "allResponsesSameHost":
        break;
      case "responseHeader":
        out.push(...headerDifferences("the response's header", answer?.response, filled(want, call)));
        break;
      default:
        out.push(`the expectation ${name} was not replayed`);
    }
  }
  return out;
}

function filled(want: unknown, call: Call): unknown {
  const host = (call.hostHeader ?? "").replace(/:\d+$/, "");
  return JSON.parse(JSON.stringify(want).replaceAll("{{.Hostname}}", host));
}

function headerDifferences(what: string, view: RouteAnswer["request"] | undefined, want: unknown): readonly string[] {
  return Object.entries(want as Readonly<Record<string, string>>).flatMap(([name, value]) =>
    difference(`${what} ${name}`, (view === undefined ? undefined : headerOf(view, name)) ?? "", value),
  );
}

/** The API server turns a Secret's stringData into data. */
function withSecretText<T extends { readonly kind: string }>(object: T): T {
  const { stringData } = object as { readonly stringData?: Readonly<Record<string, string>> };
  if (object.kind !== "Secret" || stringData === undefined) return object;
  const data = Object.fromEntries(
    Object.entries(stringData).map(([key, value]) => [key, Buffer.from(value).toString("base64")]),
  );
  return { ...object, data };
}
