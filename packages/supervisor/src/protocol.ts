/**
 * The supervisor's seam (ARCHITECTURE.md): JSON lines over $RUN/supervisor.sock, one object a line in both directions.
 * Requests carry an id and get exactly one answer; `exited` events go to every connected client, and an exit stays in `list` until `forget`,
 * so a client that was away learns of it from `list`.
 */
export interface RestartPolicy {
  /** Delay before the second restart in a row (the first is immediate); doubles up to maxMs. */
  readonly baseMs: number;
  readonly maxMs: number;
}

/** A CRI-format log (`time stdout F text`) that the supervisor itself writes and rotates: path, path.1, path.2 … */
export interface CriLog {
  readonly path: string;
  /** Size at which the file is rotated; 10 MB unless told. */
  readonly maxBytes?: number;
  /** Files kept in all, the current one included; 3 unless told. */
  readonly maxFiles?: number;
}

export interface StartParams {
  readonly name: string;
  readonly argv: readonly string[];
  /** The whole environment of the process: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Files that the process itself appends to. Either these or `log`; /dev/null when neither is given. */
  readonly stdout?: string;
  readonly stderr?: string;
  readonly log?: CriLog;
  readonly restart?: RestartPolicy;
  readonly uid?: number;
  readonly gid?: number;
}

export interface ProcessStart {
  readonly pid: number;
  /** Opaque; the same pid with another start time is another process. */
  readonly startTime: string;
}

export interface ProcessExit {
  readonly pid: number;
  readonly code: number | null;
  readonly signal: string | null;
  /** Epoch milliseconds. */
  readonly at: number;
}

export interface ProcessEntry {
  readonly name: string;
  /** waiting: it exited and will be started again. */
  readonly state: "running" | "waiting" | "exited";
  readonly pid: number;
  readonly startTime: string;
  /** Epoch milliseconds of the latest start. */
  readonly startedAt: number;
  readonly restarts: number;
  /** The latest exit. */
  readonly exit?: ProcessExit;
}

export interface ExitedEvent extends ProcessExit {
  readonly name: string;
}

export interface SignalParams {
  readonly name: string;
  readonly signal: string;
  /** Also give up restarting it. */
  readonly stop?: boolean;
}

export type SupervisorRequest =
  | { readonly id: number; readonly method: "start"; readonly params: StartParams }
  | { readonly id: number; readonly method: "signal"; readonly params: SignalParams }
  | { readonly id: number; readonly method: "list" }
  | { readonly id: number; readonly method: "forget"; readonly params: { readonly name: string } }
  | { readonly id: number; readonly method: "shutdown" };

export interface SupervisorAnswer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}

export type SupervisorMessage = SupervisorAnswer | ({ readonly event: "exited" } & ExitedEvent);

/** Splits a byte stream into lines; returns the complete ones and keeps the rest. */
export function createLineReader(onLine: (line: string) => void): (chunk: string) => void {
  let rest = "";
  return (chunk) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") onLine(line);
  };
}
