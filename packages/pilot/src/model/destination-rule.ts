/**
 * Which DestinationRule a client uses for a service, and what its policies amount to for one subset and port.
 * Order: rules of the client's namespace, of the service's, of the root namespace; the most specific host within the first that has any.
 * Rules of one namespace for the same host are merged: subsets are gathered, the first traffic policy stays.
 * Spec: istio.io reference, DestinationRule; istio.io, Traffic Management Best Practices, "Cross namespace".
 */
import type { DestinationRuleSpec, Subset, TrafficPolicy } from "@argyle/kube-types";
import { byAge, type Config, selects } from "./config.ts";
import { hostCovers, hostSpecificity, resolveHost } from "./host.ts";
import { isExportedTo, type MeshService } from "./service.ts";

type RuleConfig = Config<DestinationRuleSpec>;

export interface MergedRule {
  readonly name: string;
  readonly namespace: string;
  readonly host: string;
  readonly trafficPolicy: TrafficPolicy | undefined;
  readonly subsets: readonly Subset[];
  /** It is meant for single workloads of its namespace: those may use its credentialName. */
  readonly hasWorkloadSelector: boolean;
}

export interface RuleIndex {
  find(
    service: Pick<MeshService, "hostname" | "namespace">,
    clientNamespace: string,
    clientLabels?: Readonly<Record<string, string>>,
  ): MergedRule | undefined;
}

export function indexDestinationRules(rules: readonly RuleConfig[], rootNamespace: string, domain: string): RuleIndex {
  const byNamespace = new Map<string, RuleConfig[]>();
  for (const rule of [...rules].sort(byAge)) {
    const host = resolveHost(rule.spec.host, rule.namespace, domain);
    const resolved = { ...rule, spec: { ...rule.spec, host } };
    const list = byNamespace.get(rule.namespace);
    if (list === undefined) byNamespace.set(rule.namespace, [resolved]);
    else list.push(resolved);
  }
  return {
    find(service, clientNamespace, clientLabels = {}) {
      for (const namespace of new Set([clientNamespace, service.namespace, rootNamespace])) {
        const visible = (byNamespace.get(namespace) ?? []).filter(
          (rule) =>
            hostCovers(rule.spec.host, service.hostname) &&
            isExportedTo(rule.spec.exportTo ?? ["*"], namespace, clientNamespace) &&
            (rule.spec.workloadSelector === undefined ||
              (namespace === clientNamespace && selects(rule.spec.workloadSelector.matchLabels, clientLabels))),
        );
        const found = mergeMostSpecific(visible);
        if (found !== undefined) return found;
      }
      return undefined;
    },
  };
}

/** The policy for one port of a service, or of a subset of it. A port's settings replace the others whole, never inherit. */
export function effectivePolicy(rule: MergedRule | undefined, subset: Subset | undefined, port: number): TrafficPolicy {
  const top = atPort(rule?.trafficPolicy, port);
  if (subset?.trafficPolicy === undefined) return top;
  const own = subset.trafficPolicy;
  const merged = withoutPorts({ ...top, ...own });
  const setting = own.portLevelSettings?.find((candidate) => candidate.port?.number === port);
  return setting === undefined ? merged : replacePort(merged, setting);
}

function atPort(policy: TrafficPolicy | undefined, port: number): TrafficPolicy {
  if (policy === undefined) return {};
  const setting = policy.portLevelSettings?.find((candidate) => candidate.port?.number === port);
  return setting === undefined ? withoutPorts(policy) : replacePort(withoutPorts(policy), setting);
}

function replacePort(
  policy: TrafficPolicy,
  setting: NonNullable<TrafficPolicy["portLevelSettings"]>[number],
): TrafficPolicy {
  const { loadBalancer: _1, connectionPool: _2, outlierDetection: _3, tls: _4, ...rest } = policy;
  const { port: _5, ...own } = setting;
  return { ...rest, ...own };
}

function withoutPorts(policy: TrafficPolicy): TrafficPolicy {
  const { portLevelSettings: _, ...rest } = policy;
  return rest;
}

function mergeMostSpecific(rules: readonly RuleConfig[]): MergedRule | undefined {
  let best: RuleConfig | undefined;
  for (const rule of rules) {
    if (best === undefined || hostSpecificity(rule.spec.host) > hostSpecificity(best.spec.host)) best = rule;
  }
  if (best === undefined) return undefined;
  const winner = best;
  const same = rules.filter((rule) => rule.spec.host === winner.spec.host);
  const subsets = new Map<string, Subset>();
  for (const rule of same) {
    for (const subset of rule.spec.subsets ?? []) if (!subsets.has(subset.name)) subsets.set(subset.name, subset);
  }
  return {
    name: winner.name,
    namespace: winner.namespace,
    host: winner.spec.host,
    trafficPolicy: same.find((rule) => rule.spec.trafficPolicy !== undefined)?.spec.trafficPolicy,
    subsets: [...subsets.values()],
    hasWorkloadSelector: winner.spec.workloadSelector !== undefined,
  };
}
