/** To which workloads a policy applies: a label selector or references to Gateways and Services, never both. */
import { isTree, listAt, type Tree, textAt, treeAt } from "../tree.ts";
import type { Findings } from "./findings.ts";
import { checkLabels } from "./values.ts";

/** `field` is matchLabels in the policy kinds and labels in the networking kinds. */
export function checkWorkloadSelector(
  selector: unknown,
  field: "matchLabels" | "labels",
  path: string,
  to: Findings,
): void {
  if (!isTree(selector)) return;
  const labels = treeAt(selector[field]);
  for (const [key, value] of Object.entries(labels)) {
    if (key === "") to.error(path, "empty key is not supported in selector");
    if (key.includes("*") || String(value).includes("*")) {
      to.error(path, `wildcard is not supported in selector: "${key}=${String(value)}"`);
    }
  }
  if (!Object.entries(labels).some(([key, value]) => key === "" || `${key}${String(value)}`.includes("*"))) {
    checkLabels(labels, path, to);
  }
}

/** Group and kind that a policy may be attached to. */
const TARGETS = [
  "gateway.networking.k8s.io/Gateway",
  "core/Service",
  "networking.istio.io/ServiceEntry",
  "gateway.networking.k8s.io/GatewayClass",
] as const;

export function checkPolicyTarget(spec: Tree, to: Findings): void {
  const { selector, targetRef, targetRefs } = spec;
  const refs = listAt(spec, "targetRefs");
  const given = [isTree(selector), isTree(targetRef), refs.length > 0].filter(Boolean).length;
  if (given > 1) {
    to.error("spec", "only one of targetRefs or workloadSelector can be set");
    return;
  }
  if (isTree(selector) && Object.keys(treeAt(selector.matchLabels)).length === 0) {
    to.warn("workload selector specified without labels");
  }
  checkWorkloadSelector(selector, "matchLabels", "spec.selector", to);
  if (isTree(targetRef)) checkTargetRef(targetRef, "spec.targetRef", to);
  if (Array.isArray(targetRefs)) {
    for (const [index, ref] of refs.entries()) checkTargetRef(treeAt(ref), `spec.targetRefs[${index}]`, to);
  }
}

export function checkTargetRef(ref: Tree, path: string, to: Findings): void {
  const group = textAt(ref, "group") ?? "";
  const kind = textAt(ref, "kind") ?? "";
  if ((textAt(ref, "name") ?? "") === "") to.error(`${path}.name`, "targetRef name must be set");
  if ((textAt(ref, "namespace") ?? "") !== "") {
    to.error(`${path}.namespace`, "targetRef namespace must not be set; cross namespace referencing is not supported");
  }
  const name = `${group === "" ? "core" : group}/${kind}`;
  if (!TARGETS.some((target) => target === name)) {
    to.error(path, `targetRef must be to one of ${JSON.stringify(TARGETS)} but was ${group}/${kind}`);
  }
}
