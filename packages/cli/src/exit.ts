/**
 * The one place where errors become a message and an exit code:
 * 0 ok, 1 failed, 2 usage, 3 not running, 4 port or lock, 130 interrupted.
 */
import { describeError, MeshError } from "@argyle/core";

export const EXIT = { ok: 0, failed: 1, usage: 2, notRunning: 3, portOrLock: 4, interrupted: 130 } as const;

const CODE_BY_PREFIX: readonly (readonly [prefix: string, exit: number])[] = [
  ["usage.", EXIT.usage],
  ["instance.not-running", EXIT.notRunning],
  ["instance.locked", EXIT.portOrLock],
  ["instance.running", EXIT.portOrLock],
  ["instance.other-version", EXIT.portOrLock],
  ["ports.", EXIT.portOrLock],
  ["interrupted", EXIT.interrupted],
];

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof MeshError)) return EXIT.failed;
  return CODE_BY_PREFIX.find(([prefix]) => error.code.startsWith(prefix))?.[1] ?? EXIT.failed;
}

/** What the operator reads: what happened, why, and what to do. */
export function explain(error: unknown): string {
  const advice = error instanceof MeshError && error.advice !== undefined ? `\n  ${error.advice}` : "";
  return `argyle: ${describeError(error)}${advice}`;
}
