/** Deployments and ReplicaSets. Source: Kubernetes API reference, apps/v1 DeploymentSpec, ReplicaSetSpec. */
import { type FieldProblem, forbidden, invalid, notSupported, required } from "../field-problem.ts";
import type { LabelSelector } from "../object.ts";
import { type Labels, matchesLabelSelector } from "../selector.ts";
import { isAbsent, isTree, numberAt, type Tree, textAt, treeAt } from "../tree.ts";
import { validateLabelSelector, validateLabels } from "./metadata.ts";
import { validatePodSpec } from "./pod.ts";

export function validateDeployment(deployment: Tree): FieldProblem[] {
  const spec = treeAt(deployment.spec);
  const problems = validateReplicated(spec);
  problems.push(...validateStrategy(treeAt(spec.strategy)));
  const limit = numberAt(spec, "revisionHistoryLimit");
  if (limit !== undefined && limit < 0) problems.push(negative("spec.revisionHistoryLimit", limit));
  const deadline = numberAt(spec, "progressDeadlineSeconds");
  if (deadline !== undefined && deadline <= (numberAt(spec, "minReadySeconds") ?? 0)) {
    problems.push(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"));
  }
  return problems;
}

export function validateReplicaSet(replicaSet: Tree): FieldProblem[] {
  return validateReplicated(treeAt(replicaSet.spec));
}

/** For both kinds: the selector stays as it was made. */
export function validateSelectorUpdate(before: Tree, after: Tree): FieldProblem[] {
  const was = treeAt(before, "spec").selector;
  const is = treeAt(after, "spec").selector;
  return canonical(was) === canonical(is) ? [] : [invalid("spec.selector", is, "field is immutable")];
}

function validateReplicated(spec: Tree): FieldProblem[] {
  const problems: FieldProblem[] = [];
  for (const field of ["replicas", "minReadySeconds"]) {
    const value = numberAt(spec, field);
    if (value !== undefined && value < 0) problems.push(negative(`spec.${field}`, value));
  }
  const { selector } = spec;
  if (!isTree(selector)) problems.push(required("spec.selector"));
  else {
    problems.push(...validateLabelSelector(selector, "spec.selector"));
    if (isEmpty(selector)) {
      problems.push(invalid("spec.selector", selector, "empty selector is invalid for deployment"));
    }
  }
  const { template } = spec;
  if (!isTree(template)) return [...problems, required("spec.template")];
  const labels = treeAt(template, "metadata", "labels");
  problems.push(...validateLabels(labels, "spec.template.labels"));
  if (isTree(selector) && !isEmpty(selector) && !takes(selector, labels)) {
    problems.push(invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"));
  }
  const podSpec = treeAt(template.spec);
  problems.push(...validatePodSpec(podSpec, "spec.template.spec"));
  const policy = podSpec.restartPolicy;
  if (!isAbsent(policy) && policy !== "Always" && ["OnFailure", "Never"].includes(String(policy))) {
    problems.push(notSupported("spec.template.spec.restartPolicy", policy, ["Always"]));
  }
  if (!isAbsent(podSpec.activeDeadlineSeconds)) {
    problems.push(
      forbidden("spec.template.spec.activeDeadlineSeconds", "activeDeadlineSeconds in ReplicaSet is not Supported"),
    );
  }
  return problems;
}

function takes(selector: Tree, labels: Tree): boolean {
  return matchesLabelSelector(selector as LabelSelector, labels as Labels);
}

function isEmpty(selector: Tree): boolean {
  const expressions = selector.matchExpressions;
  return (
    Object.keys(treeAt(selector.matchLabels)).length === 0 && !(Array.isArray(expressions) && expressions.length > 0)
  );
}

function validateStrategy(strategy: Tree): FieldProblem[] {
  const type = textAt(strategy, "type");
  if (type === undefined) return [];
  if (type !== "Recreate" && type !== "RollingUpdate") {
    return [notSupported("spec.strategy.type", type, ["Recreate", "RollingUpdate"])];
  }
  const { rollingUpdate } = strategy;
  if (type === "Recreate") {
    if (isAbsent(rollingUpdate)) return [];
    return [forbidden("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")];
  }
  const problems: FieldProblem[] = [];
  for (const field of ["maxUnavailable", "maxSurge"]) {
    const value = treeAt(rollingUpdate)[field];
    const path = `spec.strategy.rollingUpdate.${field}`;
    if (typeof value === "string" && !/^[0-9]+%$/.test(value)) {
      const rule =
        "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
      problems.push(invalid(path, value, rule));
    } else if (typeof value === "number" && value < 0) problems.push(negative(path, value));
  }
  if (isZero(treeAt(rollingUpdate).maxUnavailable) && isZero(treeAt(rollingUpdate).maxSurge)) {
    problems.push(invalid("spec.strategy.rollingUpdate.maxUnavailable", 0, "may not be 0 when `maxSurge` is 0"));
  }
  return problems;
}

function isZero(value: unknown): boolean {
  return value === 0 || (typeof value === "string" && /^0+%$/.test(value));
}

function negative(path: string, value: number): FieldProblem {
  return invalid(path, value, "must be greater than or equal to 0");
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    isTree(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner,
  );
}
