/**
 * What the kubelet needs of the supervisor (ARCHITECTURE.md, "The supervisor's seam"). `connectSupervisor` of @argyle/supervisor returns one;
 * the kubelet does not import that package, they meet over the socket.
 */
export interface ProcessSupervisor {
  start(params: ProcessStartParams): Promise<{ readonly pid: number; readonly startTime: string }>;
  /** To the whole process group. */
  signal(params: { readonly name: string; readonly signal: string }): Promise<void>;
  list(): Promise<readonly SupervisedProcess[]>;
  forget(name: string): Promise<void>;
  onExited(listener: (event: ProcessExited) => void): () => void;
}

export interface ProcessStartParams {
  readonly name: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** A CRI-format log that the supervisor writes and rotates. */
  readonly log: { readonly path: string; readonly maxBytes?: number; readonly maxFiles?: number };
}

export interface SupervisedProcess {
  readonly name: string;
  readonly state: "running" | "waiting" | "exited";
  readonly pid: number;
  readonly startTime: string;
  readonly exit?: { readonly code: number | null; readonly signal: string | null; readonly at: number };
}

export interface ProcessExited {
  readonly name: string;
  readonly pid: number;
  readonly code: number | null;
  readonly signal: string | null;
  readonly at: number;
}
