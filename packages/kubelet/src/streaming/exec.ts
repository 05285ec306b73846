/**
 * `kubectl exec`: a process in the container's surroundings, joined to a session. With a tty it runs on a PTY (an optional native module, loaded when first
 * needed; without it `script` gives a tty of fixed size), otherwise on plain pipes. It dies with its session; nothing it does can end the kubelet.
 */
import { spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { createRequire } from "node:module";
import type { Writable } from "node:stream";
import { type Clock, describeError } from "@argyle/core";
import { type RemoteSession, statusFor, type TerminalSize } from "./remote-session.ts";

export interface ExecProgram {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** The client sends its window size right after connecting; a shell that starts earlier would see 0×0. */
const FIRST_SIZE_MS = 30;
const QUIET_MS = 20;

export function runExec(session: RemoteSession, program: ExecProgram, clock: Clock): void {
  if (session.request.tty) runOnTerminal(session, program, clock);
  else runOnPipes(session, program);
}

function runOnPipes(session: RemoteSession, { argv, env, cwd }: ExecProgram): void {
  const [file = "", ...args] = argv;
  const child = spawn(file, args, {
    cwd,
    env: { ...env },
    detached: true,
    stdio: [session.stdin === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  child.on("error", (error) => session.finish(startFailure(file, error)));
  child.stdin?.on("error", () => undefined); // it does not read its stdin
  if (child.stdin !== null) session.stdin?.pipe(child.stdin);
  const flushed = Promise.all([
    forward(child.stdout, session.stdout),
    forward(child.stderr, session.stderr ?? session.stdout),
  ]);
  session.onClose(() => killGroup(child.pid));
  child.on("close", (code, signal) => {
    const end = { kind: "exited", code: code ?? (signal === "SIGKILL" ? 137 : 143) } as const;
    void flushed.then(() => session.finish(statusFor(end)));
  });
}

/** Resolves when everything has been handed on. */
function forward(from: NodeJS.ReadableStream | null, to: Writable | undefined): Promise<void> {
  if (from === null) return Promise.resolve();
  if (to === undefined) {
    from.resume();
    return Promise.resolve();
  }
  from.pipe(to, { end: false });
  return new Promise((resolve) => {
    from.on("close", () =>
      to.writableLength === 0 || to.destroyed ? resolve() : to.write(Buffer.alloc(0), () => resolve()),
    );
  });
}

interface Terminal {
  readonly pid: number;
  readonly ptsName: string;
  onData(listener: (chunk: Buffer | string) => void): unknown;
  onExit(listener: (exit: { exitCode: number; signal?: number }) => void): unknown;
  write(chunk: string | Buffer): void;
  resize(columns: number, rows: number): void;
  kill(signal?: string): void;
  pause(): void;
  resume(): void;
}

interface TerminalModule {
  spawn(file: string, args: readonly string[], options: Readonly<Record<string, unknown>>): Terminal;
}

function loadTerminalModule(): TerminalModule | undefined {
  try {
    return createRequire(import.meta.url)("@lydell/node-pty") as TerminalModule;
  } catch {
    return undefined; // no prebuilt module for this platform: the caller has another way
  }
}

function runOnTerminal(session: RemoteSession, program: ExecProgram, clock: Clock): void {
  const terminals = loadTerminalModule();
  if (terminals === undefined) {
    const quoted = program.argv.map((arg) => `'${arg.replaceAll("'", "'\\''")}'`).join(" ");
    const argv =
      process.platform === "darwin"
        ? ["script", "-q", "/dev/null", ...program.argv]
        : ["script", "-qefc", quoted, "/dev/null"];
    runOnPipes(session, { ...program, argv });
    return;
  }
  let terminal: Terminal | undefined;
  let size: TerminalSize = { Width: 80, Height: 24 };
  const start = () => {
    if (terminal !== undefined) return;
    timer.cancel();
    const [file = "", ...args] = program.argv;
    try {
      terminal = terminals.spawn(file, args, {
        name: "xterm-256color",
        cols: size.Width,
        rows: size.Height,
        cwd: program.cwd,
        env: { TERM: "xterm-256color", ...program.env },
        encoding: null,
      });
    } catch (error) {
      session.finish(startFailure(file, error));
      return;
    }
    join(session, terminal, clock);
  };
  const timer = clock.after(FIRST_SIZE_MS, start);
  session.onResize((next) => {
    size = next;
    if (terminal === undefined) start();
    else terminal.resize(next.Width, next.Height);
  });
  session.onClose(() => {
    timer.cancel();
    killGroup(terminal?.pid);
  });
}

/**
 * The other side of the PTY is held open until the program is gone and its output has been read: when the last holder closes it, the kernel may
 * drop what is still unread (measured: 1 of 200 short commands lost their last line).
 */
function join(session: RemoteSession, terminal: Terminal, clock: Clock): void {
  const { stdout } = session;
  const held = openSync(terminal.ptsName, constants.O_RDWR | constants.O_NOCTTY);
  let lastDataAt = clock.monotonic();
  let isPaused = false;
  const watch = () => {
    const isQuiet = !isPaused && clock.monotonic() - lastDataAt >= QUIET_MS;
    if (isAlive(terminal.pid) || !isQuiet) clock.after(QUIET_MS, watch);
    else closeSync(held);
  };
  watch();
  terminal.onData((chunk) => {
    lastDataAt = clock.monotonic();
    if (stdout === undefined || stdout.destroyed || stdout.write(chunk)) return;
    isPaused = true;
    terminal.pause();
    const resume = () => {
      isPaused = false;
      lastDataAt = clock.monotonic();
      terminal.resume();
    };
    stdout.once("drain", resume);
    session.onClose(resume);
  });
  session.stdin?.on("data", (chunk: Buffer) => terminal.write(chunk));
  terminal.onExit(({ exitCode, signal }) => {
    const code = signal === undefined || signal === 0 ? exitCode : 128 + signal;
    const finish = () => session.finish(statusFor({ kind: "exited", code }));
    if (stdout === undefined || stdout.writableLength === 0) finish();
    else stdout.write(Buffer.alloc(0), finish);
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function startFailure(file: string, error: unknown) {
  const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
  if (!isMissing) return statusFor({ kind: "failed", message: `cannot run ${file}: ${describeError(error)}` });
  const message = `exec: "${file}": executable file not found in $PATH`;
  return { ...statusFor({ kind: "exited", code: 127 }), message };
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // it has ended
  }
}
