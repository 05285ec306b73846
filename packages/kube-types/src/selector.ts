/**
 * Which objects a selector takes: LabelSelector objects, the text form of labelSelector, and fieldSelector text.
 * Texts are parsed once into requirements; matching is pure. An absent or empty selector takes everything.
 * Source: Kubernetes documentation, "Labels and Selectors", "Field Selectors".
 */
import { err, ok, type Problem, type Result } from "@argyle/core";
import type { LabelSelector } from "./object.ts";

export type Labels = Readonly<Record<string, string>>;

export interface LabelRequirement {
  readonly key: string;
  readonly operator: "in" | "notin" | "exists" | "!" | "gt" | "lt";
  readonly values: readonly string[];
}

export interface FieldRequirement {
  readonly path: string;
  readonly operator: "=" | "!=";
  readonly value: string;
}

export function matchesLabelSelector(selector: LabelSelector | undefined, labels: Labels | undefined): boolean {
  if (selector === undefined) return true;
  return matchesLabels(labelSelectorRequirements(selector), labels);
}

/** True when every label of `wanted` is there with that value (Service.spec.selector, Istio workloadSelector). */
export function hasLabels(wanted: Labels | undefined, labels: Labels | undefined): boolean {
  if (wanted === undefined) return true;
  return Object.entries(wanted).every(([key, value]) => labels?.[key] === value);
}

export function labelSelectorRequirements(selector: LabelSelector): readonly LabelRequirement[] {
  const operators = { In: "in", NotIn: "notin", Exists: "exists", DoesNotExist: "!" } as const;
  return [
    ...Object.entries(selector.matchLabels ?? {}).map(
      ([key, value]): LabelRequirement => ({ key, operator: "in", values: [value] }),
    ),
    ...(selector.matchExpressions ?? []).map(
      (e): LabelRequirement => ({ key: e.key, operator: operators[e.operator], values: e.values ?? [] }),
    ),
  ];
}

/** The text form of a LabelSelector, as a client sends it: `app=web,tier in (a,b),!old`. */
export function formatLabelSelector(selector: LabelSelector | undefined): string {
  if (selector === undefined) return "";
  return labelSelectorRequirements(selector)
    .map(({ key, operator, values }) => {
      if (operator === "exists") return key;
      if (operator === "!") return `!${key}`;
      if (operator === "in" && values.length === 1) return `${key}=${values[0]}`;
      return `${key} ${operator} (${values.join(",")})`;
    })
    .join(",");
}

export function matchesLabels(requirements: readonly LabelRequirement[], labels: Labels | undefined): boolean {
  return requirements.every((r) => meets(r, labels?.[r.key]));
}

function meets(requirement: LabelRequirement, value: string | undefined): boolean {
  switch (requirement.operator) {
    case "in":
      return value !== undefined && requirement.values.includes(value);
    case "notin":
      return value === undefined || !requirement.values.includes(value);
    case "exists":
      return value !== undefined;
    case "!":
      return value === undefined;
    case "gt":
      return isInteger(value) && Number(value) > Number(requirement.values[0]);
    case "lt":
      return isInteger(value) && Number(value) < Number(requirement.values[0]);
  }
}

function isInteger(value: string | undefined): value is string {
  return value !== undefined && /^-?\d+$/.test(value);
}

const KEY = `[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:/[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)?`;
const VALUE = `(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)?`;
const SET = new RegExp(String.raw`^(${KEY})\s+(in|notin)\s*\(\s*([^()]*)\s*\)$`);
const COMPARE = new RegExp(String.raw`^(${KEY})\s*(==|=|!=)\s*(${VALUE})$`);
const ORDER = new RegExp(String.raw`^(${KEY})\s*([<>])\s*(-?\d+)$`);
const EXISTS = new RegExp(String.raw`^(!?)\s*(${KEY})$`);
const WHOLE_VALUE = new RegExp(`^${VALUE}$`);

export function parseLabelSelector(text: string): Result<readonly LabelRequirement[]> {
  const problems: Problem[] = [];
  const requirements: LabelRequirement[] = [];
  for (const part of splitOutsideParentheses(text)) {
    const requirement = parseLabelRequirement(part);
    if (requirement === undefined) {
      problems.push({ path: "labelSelector", message: `unable to parse requirement: invalid selector "${part}"` });
    } else requirements.push(requirement);
  }
  return problems.length > 0 ? err(problems) : ok(requirements);
}

function parseLabelRequirement(part: string): LabelRequirement | undefined {
  const set = SET.exec(part);
  if (set !== null) {
    const values = (set[3] ?? "").split(",").map((value) => value.trim());
    if (!values.every((value) => WHOLE_VALUE.test(value))) return undefined;
    return { key: set[1] ?? "", operator: set[2] === "in" ? "in" : "notin", values };
  }
  const compare = COMPARE.exec(part);
  if (compare !== null) {
    return { key: compare[1] ?? "", operator: compare[2] === "!=" ? "notin" : "in", values: [compare[3] ?? ""] };
  }
  const order = ORDER.exec(part);
  if (order !== null) {
    return { key: order[1] ?? "", operator: order[2] === ">" ? "gt" : "lt", values: [order[3] ?? ""] };
  }
  const exists = EXISTS.exec(part);
  if (exists !== null) return { key: exists[2] ?? "", operator: exists[1] === "!" ? "!" : "exists", values: [] };
  return undefined;
}

function splitOutsideParentheses(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i <= text.length; i++) {
    const char = text[i];
    if (char === "(") depth++;
    else if (char === ")") depth--;
    else if (i === text.length || (char === "," && depth === 0)) {
      parts.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  return text.trim() === "" ? [] : parts;
}

/** `metadata.name=x,status.phase!=Running`; a backslash escapes `,`, `=` and itself in a value. */
export function parseFieldSelector(text: string): Result<readonly FieldRequirement[]> {
  const problems: Problem[] = [];
  const requirements: FieldRequirement[] = [];
  for (const part of text === "" ? [] : text.split(/(?<!\\),/)) {
    const match = /^\s*([^=!\s]+)\s*(==|=|!=)(.*)$/s.exec(part);
    if (match === null) {
      problems.push({ path: "fieldSelector", message: `invalid selector: '${text}'; can't understand '${part}'` });
      continue;
    }
    const value = (match[3] ?? "").replace(/\\([\\,=])/g, "$1");
    requirements.push({ path: match[1] ?? "", operator: match[2] === "!=" ? "!=" : "=", value });
  }
  return problems.length > 0 ? err(problems) : ok(requirements);
}

/** An absent field counts as "", as in Kubernetes. Which paths a kind supports is the API server's to say. */
export function matchesFields(requirements: readonly FieldRequirement[], object: unknown): boolean {
  return requirements.every(({ path, operator, value }) => (readField(object, path) === value) === (operator === "="));
}

function readField(object: unknown, path: string): string {
  let at: unknown = object;
  for (const step of path.split(".")) {
    if (typeof at !== "object" || at === null) return "";
    at = (at as Readonly<Record<string, unknown>>)[step];
  }
  return typeof at === "string" || typeof at === "number" || typeof at === "boolean" ? String(at) : "";
}
