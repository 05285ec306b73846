/**
 * Istio's simulation tests. cases.json: manifests, a proxy, calls and what each call meets; a call is a case. sidecar_routes.json:
 * manifests and the clusters that each domain of one route configuration leads to.
 */

import type { KubeObject } from "@argyle/kube-types";
import { WATCHED_KINDS } from "@argyle/pilot";
import { type Case, difference, judge, notApplicable, type Verdict } from "./case.ts";
import { objectsOf, type ProxyFields, type Translation, translate, unknownKinds } from "./mesh-translation.ts";
import type { PeerFolder } from "./peer-folder.ts";
import { type Call, type Outcome, simulateCall } from "./simulate-call.ts";

interface SimulationCase {
  readonly id: string;
  readonly proxy: {
    readonly type: "sidecar" | "router";
    readonly labels?: Readonly<Record<string, string>>;
    readonly namespace?: string;
    readonly ipAddresses?: readonly string[];
    readonly metadata?: Readonly<Record<string, unknown>>;
  };
  readonly istioConfig?: string | null;
  readonly kubeConfig?: string | null;
  readonly meshConfig?: unknown;
  readonly extraConfigsGo?: unknown;
  readonly calls: readonly { readonly name: string; readonly call: Call; readonly expect: Expectation }[];
}

type Expectation = Omit<Outcome, "answer" | "chain" | "refusal"> & { readonly strict?: boolean };

interface RoutesCase {
  readonly id: string;
  readonly proxyNamespace: string;
  readonly routeName: string;
  readonly config: string;
  readonly expectVirtualHostToClusters: Readonly<Record<string, readonly string[] | null>> | null;
}

const KNOWN_KINDS: ReadonlySet<string> = new Set(WATCHED_KINDS);
/** Istio's own test has it as a defect (istio/istio#24638). */
const DUPLICATE =
  "a listener that Envoy refuses: here the oldest of two servers with one match has it, and the others are left out";
const FIELDS = ["listener", "filterChain", "routeConfig", "virtualHost", "route", "cluster"] as const;

export async function* replay(dir: PeerFolder): AsyncGenerator<Case> {
  for (const file of dir.files(".json")) {
    for (const one of dir.json(file) as readonly (SimulationCase | RoutesCase)[]) {
      if ("calls" in one) yield* callCases(one);
      else yield await judge(one.id, () => routesVerdict(one));
    }
  }
}

async function* callCases(one: SimulationCase): AsyncGenerator<Case> {
  if (one.calls.length === 0) yield notApplicable(one.id, "the case makes no call");
  let mesh: Translation | undefined;
  for (const { name, call, expect } of one.calls) {
    yield await judge(`${one.id}/${name}`, () => {
      const missing = missingIn(one);
      if (missing !== undefined) return { missing };
      mesh ??= translate(inputs(one), meshConfigOf(one), proxyOf(one));
      if (expect.error === "multiple filter chains matched") return { missing: DUPLICATE };
      return compare(simulateCall(mesh, one.proxy.type === "router", call), expect);
    });
  }
}

/** Istio's harness gives its configuration no domain: there a short host name becomes `name.namespace`, here as on a cluster the whole name. */
function compare(got: Outcome, want: Expectation): Verdict {
  const out = [...difference("error", got.error ?? "", want.error ?? "")];
  for (const field of FIELDS) {
    if (want[field] === undefined && want.strict !== true) continue;
    const isShortName = field === "cluster" && got.cluster?.replace(".svc.cluster.local", "") === want.cluster;
    if (!isShortName) out.push(...difference(field, got[field] ?? "", want[field] ?? ""));
  }
  if (got.answer !== undefined) out.push(...got.answer.problems);
  return out;
}

function inputs(one: SimulationCase): readonly KubeObject[] {
  return [...objectsOf(one.kubeConfig ?? "", "default"), ...objectsOf(one.istioConfig ?? "", "default")];
}

function missingIn(one: SimulationCase): string | undefined {
  if (one.extraConfigsGo !== undefined && one.extraConfigsGo !== null)
    return "the case has objects that are written in Go only";
  if (one.proxy.metadata?.DNSAutoAllocate === true) return "automatic addresses of ServiceEntries (DNS_AUTO_ALLOCATE)";
  return missingKinds(inputs(one));
}

function missingKinds(objects: readonly KubeObject[]): string | undefined {
  const kinds = unknownKinds(objects, KNOWN_KINDS);
  return kinds.length === 0 ? undefined : `istiod does not read the kind ${kinds.join(", ")}`;
}

function meshConfigOf(one: SimulationCase): string {
  const { meshConfig } = one;
  if (meshConfig === undefined || meshConfig === null) return "";
  return typeof meshConfig === "string" ? meshConfig : JSON.stringify(meshConfig);
}

function proxyOf(one: SimulationCase): ProxyFields {
  const { type, labels = {}, namespace = "default", ipAddresses = [], metadata } = one.proxy;
  return { type, labels, namespace, ip: ipAddresses[0] ?? "1.1.1.1", ...(metadata === undefined ? {} : { metadata }) };
}

function routesVerdict(one: RoutesCase): Verdict {
  const objects = objectsOf(one.config, "default");
  const missing = missingKinds(objects);
  if (missing !== undefined) return { missing };
  if (one.expectVirtualHostToClusters === null) return { missing: "an expectation: the case states none" };
  const mesh = translate(objects, "", { type: "sidecar", ip: "1.1.1.1", namespace: one.proxyNamespace, labels: {} });
  const got = clustersByDomain(mesh.route(one.routeName));
  return Object.entries(one.expectVirtualHostToClusters).flatMap(([domain, want]) =>
    difference(domain, got.get(domain) ?? null, want === null ? null : [...want].sort()),
  );
}

interface RouteConfigurationView {
  readonly virtual_hosts?: readonly {
    readonly domains: readonly string[];
    readonly routes?: readonly { readonly route?: { readonly cluster?: string } }[];
  }[];
}

function clustersByDomain(config: object | undefined): ReadonlyMap<string, readonly string[]> {
  const out = new Map<string, readonly string[]>();
  for (const host of (config as RouteConfigurationView | undefined)?.virtual_hosts ?? []) {
    const clusters = (host.routes ?? []).flatMap(({ route }) => (route?.cluster === undefined ? [] : [route.cluster]));
    for (const domain of host.domains) out.set(domain, clusters.sort());
  }
  return out;
}
