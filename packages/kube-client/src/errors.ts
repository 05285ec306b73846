/**
 * Failures of the Kubernetes API. A KubeError carries the Status the server sent; a request that never got an answer is a MeshError
 * with code `kube.unreachable`. Callers match with the predicates below, never on messages.
 * Source: Kubernetes API conventions, "Response Status Kind".
 */
import { MeshError } from "@argyle/core";
import type { Status } from "@argyle/kube-types";

export class KubeError extends MeshError {
  readonly status: Status;

  constructor(status: Status, request: string) {
    const reason = status.reason ?? "Unknown";
    super(`${status.message ?? reason} (${request})`, {
      code: `kube.${kebab(reason)}`,
      origin: "upstream",
      retryable: status.code >= 500 || status.code === 429 || status.code === 409,
    });
    this.name = "KubeError";
    this.status = status;
  }
}

export const UNREACHABLE = "kube.unreachable";

export function isNotFound(thrown: unknown): boolean {
  return thrown instanceof KubeError && thrown.status.code === 404;
}

/** A write that lost against another writer: read again and decide anew. */
export function isConflict(thrown: unknown): boolean {
  return thrown instanceof KubeError && thrown.status.code === 409 && thrown.status.reason !== "AlreadyExists";
}

export function isAlreadyExists(thrown: unknown): boolean {
  return thrown instanceof KubeError && thrown.status.code === 409 && thrown.status.reason === "AlreadyExists";
}

/** The resourceVersion is too old for a watch: list again. */
export function isExpired(thrown: unknown): boolean {
  return thrown instanceof KubeError && thrown.status.code === 410;
}

/** The server gave no answer: not running, restarting, connection lost. */
export function isUnreachable(thrown: unknown): boolean {
  return thrown instanceof MeshError && thrown.code === UNREACHABLE;
}

/** A Status of our own making, for answers that carry none. */
export function statusOf(code: number, reason: string, message: string): Status {
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", code, reason, message };
}

function kebab(reason: string): string {
  return reason.replace(/([a-z])([A-Z])/g, "$1-$2").toLowerCase();
}
