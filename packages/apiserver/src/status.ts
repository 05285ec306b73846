/**
 * The one place where failures become metav1.Status, with Kubernetes' reasons, codes and words: clients match on them.
 * Routes throw StatusError; everything else that is thrown is turned into a Status by `toStatus`.
 * kubectl prints `details.causes` of a 422, not the message: the whole text is in both.
 * Source: Kubernetes API conventions, "Response Status Kind".
 */
import { describeError, MeshError, type Problem } from "@argyle/core";
import type { Resource, Status } from "@argyle/kube-types";

export class StatusError extends Error {
  readonly status: Status;
  constructor(status: Status) {
    super(status.message ?? status.reason ?? "failed");
    this.name = "StatusError";
    this.status = status;
  }
}

export interface Cause {
  readonly reason?: string;
  readonly message?: string;
  readonly field?: string;
}

type Named = Pick<Resource, "group" | "plural" | "kind">;

export function failure(
  code: number,
  reason: string,
  message: string,
  details?: NonNullable<Status["details"]>,
): StatusError {
  return new StatusError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason,
    ...(details === undefined ? {} : { details }),
    code,
  });
}

/** `deployments.apps`, `pods`: how a resource is named in messages. */
function qualified(resource: Pick<Resource, "group" | "plural">): string {
  return resource.group === "" ? resource.plural : `${resource.plural}.${resource.group}`;
}

function about(resource: Named, name: string): NonNullable<Status["details"]> {
  return { name, ...(resource.group === "" ? {} : { group: resource.group }), kind: resource.plural };
}

export const badRequest = (message: string): StatusError => failure(400, "BadRequest", message);

export const notFound = (resource: Named, name: string): StatusError =>
  failure(404, "NotFound", `${qualified(resource)} "${name}" not found`, about(resource, name));

export const unknownPath = (): StatusError =>
  failure(404, "NotFound", "the server could not find the requested resource", {});

export const alreadyExists = (resource: Named, name: string): StatusError =>
  failure(409, "AlreadyExists", `${qualified(resource)} "${name}" already exists`, about(resource, name));

export const conflict = (resource: Named, name: string, why: string): StatusError =>
  failure(
    409,
    "Conflict",
    `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${why}`,
    about(resource, name),
  );

export const MODIFIED = "the object has been modified; please apply your changes to the latest version and try again";

export const forbidden = (resource: Named, name: string, why: string, causes?: readonly Cause[]): StatusError =>
  failure(403, "Forbidden", `${qualified(resource)} "${name}" is forbidden: ${why}`, {
    ...about(resource, name),
    ...(causes === undefined ? {} : { causes }),
  });

export const methodNotAllowed = (verb: string): StatusError =>
  failure(405, "MethodNotAllowed", `the server does not allow this method on the requested resource (${verb})`, {});

export const expired = (why: string): StatusError => failure(410, "Expired", why);

export const unsupportedMediaType = (got: string, accepted: readonly string[]): StatusError =>
  failure(
    415,
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(", ")}${got === "" ? "" : ` (got ${got})`}`,
  );

export const unauthorized = (): StatusError => failure(401, "Unauthorized", "Unauthorized");

export const internalError = (why: string): StatusError =>
  failure(500, "InternalError", `Internal error occurred: ${why}`, { causes: [{ message: why }] });

/** 422. `field` problems carry their whole text, as field.Error does: `Invalid value: "x": must be …`. */
export function invalid(kind: string, group: string, name: string, problems: readonly Problem[]): StatusError {
  const causes = problems.map(
    (p): Cause => ({ reason: reasonOf(p) ?? causeReason(p.message), message: p.message, field: p.path }),
  );
  const text = problems.map((p) => (p.path === "" ? p.message : `${p.path}: ${p.message}`));
  const list = text.length === 1 ? text[0] : `[${text.join(", ")}]`;
  const full = group === "" ? kind : `${kind}.${group}`;
  return failure(422, "Invalid", `${full} "${name}" is invalid: ${list}`, {
    name,
    ...(group === "" ? {} : { group }),
    kind,
    causes,
  });
}

/** kube-types' problems say their reason themselves. */
function reasonOf(problem: Problem & { readonly reason?: string }): string | undefined {
  return problem.reason;
}

function causeReason(message: string): string {
  if (message.startsWith("Required value")) return "FieldValueRequired";
  if (message.startsWith("Unsupported value")) return "FieldValueNotSupported";
  if (message.startsWith("Forbidden")) return "FieldValueForbidden";
  if (message.startsWith("Duplicate value")) return "FieldValueDuplicate";
  return "FieldValueInvalid";
}

/** What is sent for anything that was thrown; `isUnexpected` says that it belongs in the log. */
export function toStatus(thrown: unknown): { readonly status: Status; readonly isUnexpected: boolean } {
  if (thrown instanceof StatusError) return { status: thrown.status, isUnexpected: false };
  if (thrown instanceof MeshError && thrown.code === "apiserver.store.full") {
    const message = `${thrown.message}${thrown.advice === undefined ? "" : `: ${thrown.advice}`}`;
    return { status: failure(507, "InsufficientStorage", message).status, isUnexpected: true };
  }
  return { status: internalError(describeError(thrown)).status, isUnexpected: true };
}
