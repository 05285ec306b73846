/**
 * What the kubelet remembers of one container: its own truth, persisted in $STATE/kubelet/pods, from which status is derived.
 *
 *   waiting ──start──► starting ──started──► running ──exit──► terminated ──start (after back-off)──► starting …
 *                         └──failed──► waiting (reason)
 *
 * Back-off as in Kubernetes: the first restart is immediate, then 10 s doubling to 5 min; a run of 10 minutes resets it.
 */
export interface Termination {
  readonly exitCode: number;
  readonly signal?: number;
  readonly reason: string;
  readonly message?: string;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly containerID: string;
}

export type ContainerPhase =
  | { readonly kind: "waiting"; readonly reason: string; readonly message?: string }
  | { readonly kind: "starting" }
  | { readonly kind: "running"; readonly pid: number; readonly startTime: string; readonly startedAt: number }
  | { readonly kind: "terminated"; readonly exit: Termination };

export interface ContainerRecord {
  readonly name: string;
  readonly phase: ContainerPhase;
  readonly restartCount: number;
  /** Times it has been started; 0 means that it never ran. */
  readonly starts: number;
  /** The image of the latest start: another one in the spec means a restart. */
  readonly image?: string;
  readonly imageID?: string;
  readonly last?: Termination;
  /** Passed its startup probe, or has none and runs. */
  readonly started: boolean;
  readonly ready: boolean;
  /** It was ready at least once in this pod; what opens the gate for the app containers behind a proxy. */
  readonly wasReady: boolean;
  /** Epoch milliseconds before which it is not started again, and the delay that the next failure will bring. */
  readonly notBefore: number;
  readonly nextDelayMs: number;
  readonly killing?: { readonly since: number; readonly reason: string };
}

export interface ContainerExit {
  readonly code: number | null;
  readonly signal: string | null;
  readonly at: number;
  /** Instead of Completed or Error. */
  readonly reason?: string;
  readonly message?: string;
}

const FIRST_BACKOFF_MS = 10_000;
const MAX_BACKOFF_MS = 300_000;
const RESET_AFTER_MS = 600_000;

export function newRecord(name: string): ContainerRecord {
  return {
    name,
    phase: { kind: "waiting", reason: "PodInitializing" },
    restartCount: 0,
    starts: 0,
    started: false,
    ready: false,
    wasReady: false,
    notBefore: 0,
    nextDelayMs: 0,
  };
}

export function onStarting(record: ContainerRecord, image: string, imageID: string): ContainerRecord {
  const { killing: _, ...rest } = record;
  const isRestart = record.starts > 0;
  return {
    ...rest,
    phase: { kind: "starting" },
    starts: record.starts + 1,
    restartCount: isRestart ? record.restartCount + 1 : record.restartCount,
    image,
    imageID,
    started: false,
    ready: false,
    ...(record.phase.kind === "terminated" ? { last: record.phase.exit } : {}),
  };
}

export function onStarted(record: ContainerRecord, pid: number, startTime: string, now: number): ContainerRecord {
  return { ...record, phase: { kind: "running", pid, startTime, startedAt: now } };
}

/** It could not be started (again): waits with a reason and is tried again after a back-off. */
export function onStartFailed(record: ContainerRecord, reason: string, message: string, now: number): ContainerRecord {
  const delayMs = record.nextDelayMs === 0 ? FIRST_BACKOFF_MS : record.nextDelayMs;
  return {
    ...record,
    // What never ran does not count as a restart.
    starts: Math.max(0, record.starts - (record.phase.kind === "starting" ? 1 : 0)),
    restartCount: Math.max(0, record.restartCount - (record.phase.kind === "starting" && record.starts > 1 ? 1 : 0)),
    phase: { kind: "waiting", reason, message },
    ...(record.phase.kind === "terminated" ? { last: record.phase.exit } : {}),
    notBefore: now + delayMs,
    nextDelayMs: Math.min(MAX_BACKOFF_MS, delayMs * 2),
  };
}

export function onExited(record: ContainerRecord, exit: ContainerExit, containerID: string): ContainerRecord {
  const { killing: _, ...rest } = record;
  const startedAt = record.phase.kind === "running" ? record.phase.startedAt : exit.at;
  const ranLong = exit.at - startedAt >= RESET_AFTER_MS;
  const delayMs = ranLong ? 0 : record.nextDelayMs;
  return {
    ...rest,
    phase: { kind: "terminated", exit: toTermination(exit, startedAt, containerID) },
    started: false,
    ready: false,
    notBefore: exit.at + delayMs,
    nextDelayMs: delayMs === 0 ? FIRST_BACKOFF_MS : Math.min(MAX_BACKOFF_MS, delayMs * 2),
  };
}

function toTermination(exit: ContainerExit, startedAt: number, containerID: string): Termination {
  const signal = exit.signal === null ? undefined : SIGNAL_NUMBERS[exit.signal];
  const exitCode = exit.code ?? 128 + (signal ?? 0);
  return {
    exitCode,
    ...(signal === undefined ? {} : { signal }),
    reason: exit.reason ?? (exitCode === 0 ? "Completed" : "Error"),
    ...(exit.message === undefined ? {} : { message: exit.message }),
    startedAt,
    finishedAt: exit.at,
    containerID,
  };
}

/** POSIX numbers that are the same on Linux and macOS. */
const SIGNAL_NUMBERS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
};
