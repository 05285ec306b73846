/**
 * The one error type that crosses a boundary inside Argyle.
 * `code` is dotted and stable (`proxy.upstream.connect-timeout`): logs, exit codes and tests match on it, never on the message.
 * `origin` says whose fault it is, `retryable` whether doing the same again may help.
 * User input (manifests, xDS, flags) does not throw: it returns Result<T, Problem[]> (see result.ts).
 */
export type ErrorOrigin = "downstream" | "upstream" | "internal";

export interface MeshErrorFields {
  readonly code: string;
  readonly origin?: ErrorOrigin;
  readonly retryable?: boolean;
  readonly cause?: unknown;
  /** What the operator can do about it, one sentence. */
  readonly advice?: string;
}

export class MeshError extends Error {
  readonly code: string;
  readonly origin: ErrorOrigin;
  readonly retryable: boolean;
  readonly advice: string | undefined;

  constructor(message: string, fields: MeshErrorFields) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.name = "MeshError";
    this.code = fields.code;
    this.origin = fields.origin ?? "internal";
    this.retryable = fields.retryable ?? false;
    this.advice = fields.advice;
  }
}

/** The message of anything that was thrown, with its causes, for one log line. */
export function describeError(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const own = thrown.message === "" ? thrown.name : thrown.message;
  return thrown.cause === undefined ? own : `${own}: ${describeError(thrown.cause)}`;
}

/** The errno name (`ENOENT`, `EADDRINUSE`) of a system error, or undefined for anything else. */
export function errnoOf(thrown: unknown): string | undefined {
  if (typeof thrown !== "object" || thrown === null || !("code" in thrown)) return undefined;
  return typeof thrown.code === "string" ? thrown.code : undefined;
}
