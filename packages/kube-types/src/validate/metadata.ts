/** metadata of every kind: names, labels, owners, and what an update may not change. Source: Kubernetes API reference, meta/v1 ObjectMeta. */
import { duplicate, type FieldProblem, forbidden, invalid, required, tooLong } from "../field-problem.ts";
import { findResource } from "../registry.ts";
import { listAt, type Tree, textAt, treeAt } from "../tree.ts";
import { dns1035Label, dnsLabel, dnsSubdomain, labelValue, qualifiedName } from "./names.ts";

const MAX_ANNOTATION_BYTES = 256 * 1024;

/** Kinds whose names are stricter than a DNS subdomain. */
const NAME_RULES: Readonly<Record<string, (name: string) => string[]>> = {
  Namespace: dnsLabel,
  Service: dns1035Label,
};

export function validateMetadata(object: Tree): FieldProblem[] {
  const metadata = treeAt(object.metadata);
  const kind = textAt(object, "kind") ?? "";
  const problems: FieldProblem[] = [];
  const name = textAt(metadata, "name") ?? "";
  const generateName = textAt(metadata, "generateName") ?? "";
  const nameRule = NAME_RULES[kind] ?? dnsSubdomain;
  if (name === "" && generateName === "") {
    problems.push(required("metadata.name", "name or generateName is required"));
  }
  if (generateName !== "") {
    const stem = generateName.endsWith("-") ? generateName.slice(0, -1) : generateName;
    problems.push(...nameRule(stem).map((text) => invalid("metadata.generateName", generateName, text)));
  }
  if (name !== "") problems.push(...nameRule(name).map((text) => invalid("metadata.name", name, text)));
  problems.push(...validateNamespace(object, textAt(metadata, "namespace") ?? ""));
  problems.push(...validateLabels(metadata.labels, "metadata.labels"));
  problems.push(...validateAnnotations(metadata.annotations, "metadata.annotations"));
  for (const [index, owner] of listAt(metadata, "ownerReferences").entries()) {
    const path = `metadata.ownerReferences[${index}]`;
    for (const [field, text] of [
      ["apiVersion", "version must not be empty"],
      ["kind", "kind must not be empty"],
      ["name", "name must not be empty"],
      ["uid", "uid must not be empty"],
    ] as const) {
      if ((textAt(owner, field) ?? "") === "") problems.push(invalid(`${path}.${field}`, "", text));
    }
  }
  const controllers = listAt(metadata, "ownerReferences").filter((owner) => treeAt(owner).controller === true);
  if (controllers.length > 1) {
    const names = controllers.map((owner) => `${textAt(owner, "kind")}/${textAt(owner, "name")}`).join(", ");
    const text = `Only one reference can have Controller set to true. Found "true" in references for ${names}`;
    problems.push(invalid("metadata.ownerReferences", listAt(metadata, "ownerReferences"), text));
  }
  return problems;
}

function validateNamespace(object: Tree, namespace: string): FieldProblem[] {
  const resource = findResource(textAt(object, "apiVersion") ?? "", textAt(object, "kind") ?? "");
  if (resource === undefined) return [];
  if (!resource.namespaced) {
    return namespace === "" ? [] : [forbidden("metadata.namespace", "not allowed on this type")];
  }
  if (namespace === "") return [required("metadata.namespace")];
  return dnsLabel(namespace).map((text) => invalid("metadata.namespace", namespace, text));
}

export function validateLabels(labels: unknown, path: string): FieldProblem[] {
  return Object.entries(treeAt(labels)).flatMap(([key, value]) => [
    ...qualifiedName(key).map((text) => invalid(path, key, text)),
    ...(typeof value === "string" ? labelValue(value).map((text) => invalid(path, value, text)) : []),
  ]);
}

function validateAnnotations(annotations: unknown, path: string): FieldProblem[] {
  const entries = Object.entries(treeAt(annotations));
  const problems = entries.flatMap(([key]) => qualifiedName(key.toLowerCase()).map((text) => invalid(path, key, text)));
  const size = entries.reduce((sum, [key, value]) => sum + key.length + String(value).length, 0);
  return size > MAX_ANNOTATION_BYTES ? [...problems, tooLong(path, MAX_ANNOTATION_BYTES)] : problems;
}

export function validateMetadataUpdate(before: Tree, after: Tree): FieldProblem[] {
  const problems: FieldProblem[] = [];
  for (const field of ["name", "namespace", "uid", "creationTimestamp"]) {
    const was = textAt(before, "metadata", field);
    const is = textAt(after, "metadata", field);
    if (was !== undefined && is !== was) problems.push(invalid(`metadata.${field}`, is, "field is immutable"));
  }
  return problems;
}

/** Problems for a LabelSelector; `isRequired` when an empty one would take everything. */
export function validateLabelSelector(selector: unknown, path: string): FieldProblem[] {
  const problems = validateLabels(treeAt(selector).matchLabels, `${path}.matchLabels`);
  for (const [index, expression] of listAt(selector, "matchExpressions").entries()) {
    const at = `${path}.matchExpressions[${index}]`;
    const operator = textAt(expression, "operator") ?? "";
    const hasValues = listAt(expression, "values").length > 0;
    if ((operator === "In" || operator === "NotIn") && !hasValues) {
      problems.push(required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
    } else if ((operator === "Exists" || operator === "DoesNotExist") && hasValues) {
      problems.push(forbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
    } else if (!["In", "NotIn", "Exists", "DoesNotExist"].includes(operator)) {
      problems.push(invalid(`${at}.operator`, operator, "not a valid selector operator"));
    }
    const key = textAt(expression, "key") ?? "";
    problems.push(...qualifiedName(key).map((text) => invalid(`${at}.key`, key, text)));
  }
  return problems;
}

/** One problem for each entry whose `field` was seen before. */
export function duplicates(list: readonly unknown[], field: string, path: string): FieldProblem[] {
  const seen = new Set<unknown>();
  return list.flatMap((entry, index) => {
    const value = treeAt(entry)[field];
    if (value === undefined || value === "") return [];
    if (seen.has(value)) return [duplicate(`${path}[${index}].${field}`, value)];
    seen.add(value);
    return [];
  });
}
