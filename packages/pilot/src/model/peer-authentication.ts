/**
 * Which kind of traffic a workload takes on a port: the workload's own policy, then its namespace's, then the mesh's; PERMISSIVE without any.
 * Within one level the oldest policy counts; a policy of the root namespace with a selector is none of the three, and counts nowhere. Spec: istio.io reference, PeerAuthentication.
 */
import type { MutualTlsMode, PeerAuthentication } from "@argyle/kube-types";
import { byAge, type Config, selects } from "./config.ts";

export type EffectiveMtls = Exclude<MutualTlsMode, "UNSET">;

export interface MtlsPolicy {
  readonly mode: EffectiveMtls;
  readonly byPort: ReadonlyMap<number, EffectiveMtls>;
  /** The policies that took part, `namespace/name`, the nearest last. */
  readonly sources: readonly string[];
}

type PolicyConfig = Config<PeerAuthentication["spec"]>;

export function mtlsPolicyOf(
  policies: readonly PolicyConfig[],
  workload: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
  rootNamespace: string,
): MtlsPolicy {
  const hasSelector = (policy: PolicyConfig) => Object.keys(policy.spec.selector?.matchLabels ?? {}).length > 0;
  const oldest = (found: readonly PolicyConfig[]) => [...found].sort(byAge)[0];
  const levels = [
    oldest(policies.filter((p) => p.namespace === rootNamespace && !hasSelector(p))),
    workload.namespace === rootNamespace
      ? undefined
      : oldest(policies.filter((p) => p.namespace === workload.namespace && !hasSelector(p))),
    oldest(
      policies.filter(
        (p) =>
          p.namespace === workload.namespace &&
          p.namespace !== rootNamespace &&
          hasSelector(p) &&
          selects(p.spec.selector?.matchLabels, workload.labels),
      ),
    ),
  ];
  let mode: EffectiveMtls = "PERMISSIVE";
  const byPort = new Map<number, EffectiveMtls>();
  const sources: string[] = [];
  for (const [level, policy] of levels.entries()) {
    if (policy === undefined) continue;
    sources.push(`${policy.namespace}/${policy.name}`);
    const own = policy.spec.mtls?.mode;
    if (own !== undefined && own !== "UNSET") mode = own;
    // Ports belong to workloads: only a policy with a selector may name them.
    if (level < 2) continue;
    for (const [port, setting] of Object.entries(policy.spec.portLevelMtls ?? {})) {
      byPort.set(Number(port), setting.mode === undefined || setting.mode === "UNSET" ? mode : setting.mode);
    }
  }
  return { mode, byPort, sources };
}

export function mtlsModeOfPort(policy: MtlsPolicy, port: number): EffectiveMtls {
  return policy.byPort.get(port) ?? policy.mode;
}
