/** DestinationRule. Source: Istio reference, networking/destination-rule. */
import { isTree, listAt, type Tree, textAt, treeAt } from "../tree.ts";
import { checkSubset } from "./destination.ts";
import type { Findings } from "./findings.ts";
import { checkExportTo, wildcardDomainFault } from "./names.ts";
import { checkWorkloadSelector } from "./selectors.ts";
import { checkTrafficPolicy } from "./traffic-policy.ts";
import { checkLabels } from "./values.ts";

export function checkDestinationRule(object: Tree, to: Findings): void {
  const spec = treeAt(object.spec);
  const host = textAt(spec, "host") ?? "";
  const fault = wildcardDomainFault(host);
  if (fault !== undefined) to.error("spec.host", fault);
  checkTrafficPolicy(spec.trafficPolicy, "spec.trafficPolicy", to);
  const names = new Set<string>();
  for (const [index, entry] of listAt(spec, "subsets").entries()) {
    const path = `spec.subsets[${index}]`;
    if (!isTree(entry)) {
      to.error(path, "subset may not be null");
      continue;
    }
    const name = textAt(entry, "name") ?? "";
    if (name === "") to.error(`${path}.name`, "subset name cannot be empty");
    else if (names.has(name)) to.error(`${path}.name`, `duplicate subset names: ${name}`);
    names.add(name);
    checkSubset(name, `${path}.name`, to);
    checkLabels(entry.labels, `${path}.labels`, to);
    checkTrafficPolicy(entry.trafficPolicy, `${path}.trafficPolicy`, to);
  }
  const { workloadSelector } = spec;
  checkWorkloadSelector(workloadSelector, "matchLabels", "spec.workloadSelector", to);
  const namespace = textAt(object, "metadata", "namespace") ?? "";
  const kind = isTree(workloadSelector) ? "selected-rule" : "other";
  checkExportTo(listAt(spec, "exportTo"), namespace, "spec.exportTo", to, kind);
}
