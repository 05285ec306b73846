/** Pods and pod templates. Source: Kubernetes API reference, core/v1 PodSpec; "Pods", pod update and replacement. */
import { duplicate, type FieldProblem, forbidden, invalid, notSupported, required } from "../field-problem.ts";
import { isAbsent, isTree, listAt, numberAt, type Tree, textAt, treeAt } from "../tree.ts";
import { validateContainer } from "./container.ts";
import { duplicates } from "./metadata.ts";
import { dnsLabel } from "./names.ts";

export function validatePod(pod: Tree): FieldProblem[] {
  return validatePodSpec(treeAt(pod.spec), "spec");
}

export function validatePodSpec(spec: Tree, path: string): FieldProblem[] {
  const problems: FieldProblem[] = [];
  problems.push(...validateVolumes(listAt(spec, "volumes"), `${path}.volumes`));
  const volumes = new Set(listAt(spec, "volumes").map((volume) => textAt(volume, "name") ?? ""));
  if (listAt(spec, "containers").length === 0) problems.push(required(`${path}.containers`));
  const names = new Set<string>();
  for (const list of ["containers", "initContainers", "ephemeralContainers"]) {
    for (const [index, container] of listAt(spec, list).entries()) {
      const at = `${path}.${list}[${index}]`;
      problems.push(...validateContainer(treeAt(container), at, volumes));
      const name = textAt(container, "name") ?? "";
      if (name !== "" && names.has(name)) problems.push(duplicate(`${at}.name`, name));
      names.add(name);
    }
  }
  problems.push(
    ...oneOf(spec, "restartPolicy", ["Always", "Never", "OnFailure"], path),
    ...oneOf(spec, "dnsPolicy", ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"], path),
  );
  const grace = numberAt(spec, "terminationGracePeriodSeconds");
  if (grace !== undefined && grace < 0) {
    problems.push(invalid(`${path}.terminationGracePeriodSeconds`, grace, "must be greater than or equal to 0"));
  }
  const deadline = numberAt(spec, "activeDeadlineSeconds");
  if (deadline !== undefined && deadline < 1) {
    problems.push(invalid(`${path}.activeDeadlineSeconds`, deadline, "must be between 1 and 2147483647, inclusive"));
  }
  for (const field of ["hostname", "subdomain"]) {
    const value = textAt(spec, field) ?? "";
    if (value !== "") problems.push(...dnsLabel(value).map((text) => invalid(`${path}.${field}`, value, text)));
  }
  return problems;
}

function oneOf(tree: Tree, field: string, supported: readonly string[], path: string): FieldProblem[] {
  const value = tree[field];
  if (isAbsent(value)) return [];
  return supported.includes(String(value)) ? [] : [notSupported(`${path}.${field}`, value, supported)];
}

function validateVolumes(volumes: readonly unknown[], path: string): FieldProblem[] {
  const problems: FieldProblem[] = duplicates(volumes, "name", path);
  for (const [index, volume] of volumes.entries()) {
    const at = `${path}[${index}]`;
    const { name, ...sources } = treeAt(volume);
    if (typeof name !== "string" || name === "") problems.push(required(`${at}.name`));
    else problems.push(...dnsLabel(name).map((text) => invalid(`${at}.name`, name, text)));
    const given = Object.keys(sources).filter((source) => !isAbsent(sources[source]));
    for (const extra of given.slice(1)) {
      problems.push(forbidden(`${at}.${extra}`, "may not specify more than 1 volume type"));
    }
    for (const [source, field] of [
      ["configMap", "name"],
      ["secret", "secretName"],
      ["hostPath", "path"],
      ["persistentVolumeClaim", "claimName"],
    ] as const) {
      const value = sources[source];
      if (isTree(value) && (textAt(value, field) ?? "") === "") problems.push(required(`${at}.${source}.${field}`));
    }
  }
  return problems;
}

const UPDATE_RULE =
  "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

export function validatePodUpdate(before: Tree, after: Tree): FieldProblem[] {
  const same = JSON.stringify(comparable(before)) === JSON.stringify(comparable(after));
  return same ? [] : [forbidden("spec", UPDATE_RULE)];
}

/** The spec without what may change, keys in order. nodeName may be set once (the binding). */
function comparable(pod: Tree): unknown {
  const spec = treeAt(pod.spec);
  const withoutImage = (list: string) =>
    listAt(spec, list).map((container) => ({ ...treeAt(container), image: undefined }));
  return sorted({
    ...spec,
    containers: withoutImage("containers"),
    initContainers: withoutImage("initContainers"),
    ephemeralContainers: undefined,
    activeDeadlineSeconds: undefined,
    terminationGracePeriodSeconds: undefined,
    tolerations: undefined,
    nodeName: undefined,
    schedulingGates: undefined,
  });
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isTree(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .flatMap((key) => (isAbsent(value[key]) ? [] : [[key, sorted(value[key])]])),
  );
}
