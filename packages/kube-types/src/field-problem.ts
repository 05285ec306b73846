/**
 * What is wrong with a field, in Kubernetes' words. `message` is what kubectl prints after the path; `reason` is the cause type of a
 * Status, except `DecodeFailure`, which Kubernetes answers with 400 instead of 422.
 * Source: Kubernetes API reference, meta/v1 StatusCause.
 */
import type { Problem } from "@argyle/core";

export type ProblemReason =
  | "FieldValueRequired"
  | "FieldValueInvalid"
  | "FieldValueNotSupported"
  | "FieldValueDuplicate"
  | "FieldValueForbidden"
  | "FieldValueNotFound"
  | "FieldValueTypeInvalid"
  | "FieldValueTooLong"
  | "FieldValueTooMany"
  | "DecodeFailure";

export interface FieldProblem extends Problem {
  readonly reason: ProblemReason;
}

export function required(path: string, detail?: string): FieldProblem {
  return { path, reason: "FieldValueRequired", message: withDetail("Required value", detail) };
}

export function invalid(path: string, value: unknown, detail: string): FieldProblem {
  return { path, reason: "FieldValueInvalid", message: `Invalid value: ${shown(value)}: ${detail}` };
}

export function typeInvalid(path: string, found: string, wanted: string): FieldProblem {
  const message = `Invalid value: "${found}": ${path} in body must be of type ${wanted}: "${found}"`;
  return { path, reason: "FieldValueTypeInvalid", message };
}

export function notSupported(path: string, value: unknown, supported: readonly string[]): FieldProblem {
  const list = supported.map((name) => JSON.stringify(name)).join(", ");
  return {
    path,
    reason: "FieldValueNotSupported",
    message: `Unsupported value: ${shown(value)}: supported values: ${list}`,
  };
}

export function duplicate(path: string, value: unknown): FieldProblem {
  return { path, reason: "FieldValueDuplicate", message: `Duplicate value: ${shown(value)}` };
}

export function forbidden(path: string, detail: string): FieldProblem {
  return { path, reason: "FieldValueForbidden", message: `Forbidden: ${detail}` };
}

export function notFound(path: string, value: unknown): FieldProblem {
  return { path, reason: "FieldValueNotFound", message: `Not found: ${shown(value)}` };
}

export function tooLong(path: string, maxLength: number): FieldProblem {
  return { path, reason: "FieldValueTooLong", message: `Too long: may not be more than ${maxLength} bytes` };
}

/** The whole text of several problems, as the message of a 422 Status ends: one in plain, several in brackets. */
export function formatFieldProblems(problems: readonly Problem[]): string {
  const texts = problems.map((p) => (p.path === "" ? p.message : `${p.path}: ${p.message}`));
  return texts.length === 1 ? (texts[0] ?? "") : `[${texts.join(", ")}]`;
}

function withDetail(text: string, detail: string | undefined): string {
  return detail === undefined || detail === "" ? text : `${text}: ${detail}`;
}

function shown(value: unknown): string {
  return value === undefined ? "null" : JSON.stringify(value);
}
