/** ConfigMaps and Secrets: keys, size, immutability. Source: Kubernetes API reference, core/v1 ConfigMap, Secret; "Secrets", types. */
import { type FieldProblem, forbidden, invalid, required, tooLong } from "../field-problem.ts";
import { isAbsent, type Tree, textAt, treeAt } from "../tree.ts";
import { configKey } from "./names.ts";

const MAX_BYTES = 1024 * 1024;

export function validateConfigMap(configMap: Tree): FieldProblem[] {
  const data = treeAt(configMap.data);
  const binary = treeAt(configMap.binaryData);
  const problems: FieldProblem[] = [];
  for (const key of Object.keys(data)) {
    problems.push(...configKey(key).map((text) => invalid(`data[${key}]`, key, text)));
    if (key in binary) problems.push(invalid(`data[${key}]`, key, "duplicate of key present in binaryData"));
  }
  for (const key of Object.keys(binary)) {
    problems.push(...configKey(key).map((text) => invalid(`binaryData[${key}]`, key, text)));
  }
  if (size(data) + size(binary) > MAX_BYTES) problems.push(tooLong("", MAX_BYTES));
  return problems;
}

const NEEDED: Readonly<Record<string, readonly string[]>> = {
  "kubernetes.io/tls": ["tls.crt", "tls.key"],
  "kubernetes.io/dockerconfigjson": [".dockerconfigjson"],
  "kubernetes.io/dockercfg": [".dockercfg"],
  "kubernetes.io/ssh-auth": ["ssh-privatekey"],
};

export function validateSecret(secret: Tree): FieldProblem[] {
  const data = treeAt(secret.data);
  const problems = Object.keys(data).flatMap((key) => configKey(key).map((text) => invalid(`data[${key}]`, key, text)));
  if (size(data) > MAX_BYTES) problems.push(tooLong("data", MAX_BYTES));
  const type = textAt(secret, "type") ?? "Opaque";
  for (const key of NEEDED[type] ?? []) {
    if (isAbsent(data[key])) problems.push(required(`data[${key}]`));
  }
  if (type === "kubernetes.io/service-account-token") {
    const path = "metadata.annotations[kubernetes.io/service-account.name]";
    if (isAbsent(treeAt(secret, "metadata", "annotations")["kubernetes.io/service-account.name"])) {
      problems.push(required(path));
    }
  }
  return problems;
}

export function validateSecretUpdate(before: Tree, after: Tree): FieldProblem[] {
  const problems = validateImmutableUpdate(before, after);
  const was = textAt(before, "type") ?? "";
  const is = textAt(after, "type") ?? "";
  if (was !== "" && is !== was) problems.push(invalid("type", is, "field is immutable"));
  return problems;
}

/** For both kinds. */
export function validateImmutableUpdate(before: Tree, after: Tree): FieldProblem[] {
  if (before.immutable !== true) return [];
  const text = "field is immutable when `immutable` is set";
  const problems = after.immutable === true ? [] : [forbidden("immutable", text)];
  for (const field of ["data", "binaryData"]) {
    if (!sameEntries(treeAt(before[field]), treeAt(after[field]))) problems.push(forbidden(field, text));
  }
  return problems;
}

function sameEntries(a: Tree, b: Tree): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

function size(entries: Tree): number {
  return Object.values(entries).reduce((sum: number, value) => sum + String(value).length, 0);
}
