/** Telemetry. Source: Istio reference, config/telemetry. */
import { isAbsent, isTree, listAt, numberAt, type Tree, textAt, treeAt } from "../tree.ts";
import type { Findings } from "./findings.ts";
import { checkPolicyTarget } from "./selectors.ts";
import { checkDuration } from "./values.ts";

export function checkTelemetry(object: Tree, to: Findings): void {
  const spec = treeAt(object.spec);
  checkPolicyTarget(spec, to);
  checkTracing(listAt(spec, "tracing"), to);
  for (const [index, rule] of listAt(spec, "metrics").entries())
    checkMetrics(treeAt(rule), `spec.metrics[${index}]`, to);
  for (const [index, rule] of listAt(spec, "accessLogging").entries()) {
    const path = `spec.accessLogging[${index}]`;
    checkProviders(rule, path, to);
    const expression = textAt(rule, "filter", "expression");
    if (expression !== undefined && !isBalanced(expression)) {
      to.error(`${path}.filter.expression`, `invalid CEL expression: ${expression}: unbalanced quotes or brackets`);
    }
  }
}

function checkTracing(rules: readonly unknown[], to: Findings): void {
  if (rules.length > 1) to.warn("multiple tracing is not currently supported");
  for (const [index, rule] of rules.entries()) {
    const path = `spec.tracing[${index}]`;
    if (listAt(rule, "providers").length > 1) to.warn("multiple providers is not currently supported");
    checkProviders(rule, path, to);
    const percentage = numberAt(rule, "randomSamplingPercentage");
    if (percentage !== undefined && (percentage < 0 || percentage > 100)) {
      to.error(`${path}.randomSamplingPercentage`, "randomSamplingPercentage must be in range [0.0, 100.0]");
    }
    for (const [name, tag] of Object.entries(treeAt(treeAt(rule).customTags)))
      checkTag(name, tag, `${path}.customTags`, to);
  }
}

function checkTag(name: string, tag: unknown, path: string, to: Findings): void {
  if (name === "") to.error(path, "tag name may not be empty");
  if (!isTree(tag)) {
    to.error(`${path}.${name}`, `tag '${name}' may not have a nil value`);
    return;
  }
  const { literal, header, environment, formatter } = tag;
  const given = [literal, header, environment, formatter].filter(isTree);
  if (given.length > 1)
    to.error(`${path}.${name}`, `tag '${name}' must have only one of literal, environment, header, formatter`);
  if (isTree(literal) && (textAt(literal, "value") ?? "") === "")
    to.error(`${path}.${name}`, "literal tag value may not be empty");
  if (isTree(header) && (textAt(header, "name") ?? "") === "")
    to.error(`${path}.${name}`, "header tag name may not be empty");
  if (isTree(environment) && (textAt(environment, "name") ?? "") === "")
    to.error(`${path}.${name}`, "environment tag name may not be empty");
}

function checkMetrics(rule: Tree, path: string, to: Findings): void {
  checkProviders(rule, path, to);
  checkDuration(rule.reportingInterval, `${path}.reportingInterval`, to);
  for (const [index, override] of listAt(rule, "overrides").entries()) {
    const at = `${path}.overrides[${index}]`;
    const match = treeAt(treeAt(override).match);
    if (textAt(match, "customMetric") === "")
      to.error(`${at}.match.customMetric`, `${at}.match.customMetric in body should be at least 1 chars long`);
    if (!isAbsent(match.metric) && !isAbsent(match.customMetric))
      to.error(`${at}.match`, "only one of metric or customMetric can be set");
    for (const [name, tag] of Object.entries(treeAt(treeAt(override).tagOverrides))) {
      const where = `${at}.tagOverrides.${name}`;
      const operation = textAt(tag, "operation") ?? "UPSERT";
      const value = textAt(tag, "value") ?? "";
      if (name === "") to.warn("tagOverrides.name may not be empty");
      if (operation === "UPSERT" && value === "")
        to.error(where, "tagOverrides.value must be set when operation is UPSERT");
      if (operation === "REMOVE" && value !== "")
        to.error(
          where,
          "tagOverrides.value may only be set when operation is UPSERT: value must not be set when operation is REMOVE",
        );
    }
  }
}

function checkProviders(rule: unknown, path: string, to: Findings): void {
  for (const [index, provider] of listAt(rule, "providers").entries()) {
    if ((textAt(provider, "name") ?? "") === "") {
      to.error(
        `${path}.providers[${index}].name`,
        `${path}.providers[${index}].name in body should be at least 1 chars long`,
      );
    }
  }
}

/** Quotes closed and brackets paired: what can be said about a CEL expression without its types. */
function isBalanced(expression: string): boolean {
  const plain = expression.replace(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"/g, "''");
  if (/['"]/.test(plain.replaceAll("''", ""))) return false;
  const open: string[] = [];
  const pairs: Readonly<Record<string, string>> = { ")": "(", "]": "[", "}": "{" };
  for (const char of plain) {
    if ("([{".includes(char)) open.push(char);
    else if (char in pairs && open.pop() !== pairs[char]) return false;
  }
  return open.length === 0;
}
