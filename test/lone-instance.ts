/**
 * The command line in a home of its own, for tests of how it starts, fails and ends. When the test ends, the instance is taken down and
 * whatever it left (a process, a socket, a temporary file) fails the test.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "@argyle/testkit";
import { type Outcome, processesOf, ROOT, run } from "./mini-cluster.ts";

export const CLI = join(ROOT, "dist/cli.cjs");
/** What every start here is given: no demo, any ports. */
export const QUIET = ["--demo", "none", "--api-port", "0", "--gateway-port", "0"] as const;

export interface LoneInstance {
  readonly env: NodeJS.ProcessEnv;
  readonly stateDir: string;
  argyle(...args: string[]): Promise<Outcome>;
  /** `argyle up` in the foreground, to be sent signals. */
  foreground(...args: string[]): Foreground;
  /** Mounts a tmpfs of so many megabytes for the time of the test, or says why there can be none. */
  mountSmallDisk(dir: string, megabytes: number): string | undefined;
  /** Fails when a process, socket or temporary file of the instance is left. */
  assertNothingLeft(): Promise<void>;
}

export interface Foreground {
  readonly child: ChildProcess;
  /** Resolves when the text was printed, on either stream. */
  said(words: RegExp): Promise<void>;
  readonly ended: Promise<{ readonly code: number | null; readonly output: string }>;
}

interface Scope {
  after(fn: () => Promise<void> | void): void;
}

export function createLoneInstance(
  scope: Scope,
  options: { readonly below?: string; readonly env?: NodeJS.ProcessEnv } = {},
): LoneInstance {
  const home = mkdtempSync(join(tmpdir(), "ag-"));
  const states = join(home, options.below ?? "s");
  const temporary = join(home, "t");
  mkdirSync(states, { recursive: true });
  mkdirSync(temporary);
  const { XDG_RUNTIME_DIR: _runtime, XDG_STATE_HOME: _state, KUBECONFIG: _kubeconfig, ...inherited } = process.env;
  const env: NodeJS.ProcessEnv = {
    ...inherited,
    ARGYLE_STATE_DIR: states,
    TMPDIR: temporary,
    HOME: home,
    ...options.env,
  };
  const stateDir = join(states, "argyle");
  const argyle = (...args: string[]) => run(process.execPath, [CLI, ...args], { env });

  const mounts: string[] = [];

  const assertNothingLeft = () =>
    eventually("nothing of the instance is left", () => {
      const processes = processesOf(stateDir);
      if (processes.length > 0) throw new Error(`still running:\n${processes.join("\n")}`);
      const files = filesBelow(temporary);
      if (files.length > 0) throw new Error(`left in the temporary directory: ${files.join(" ")}`);
      if (existsSync(join(stateDir, "start.lock"))) throw new Error("the start lock is left");
    });

  scope.after(async () => {
    await argyle("down");
    try {
      await assertNothingLeft();
    } finally {
      for (const dir of mounts) execFileSync("umount", [dir]);
      rmSync(home, { recursive: true, force: true });
    }
  });
  return {
    env,
    stateDir,
    argyle,
    foreground: (...args) =>
      follow(spawn(process.execPath, [CLI, "up", ...args], { env, stdio: ["ignore", "pipe", "pipe"] })),
    assertNothingLeft,
    mountSmallDisk(dir, megabytes) {
      try {
        mkdirSync(dir, { recursive: true });
        execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", dir], { stdio: "pipe" });
      } catch {
        return "mounting a tmpfs is not permitted here";
      }
      mounts.push(dir);
      return undefined;
    },
  };
}

function follow(child: ChildProcess): Foreground {
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8");
    stream?.on("data", (text: string) => {
      output += text;
    });
  }
  return {
    child,
    said: (words) =>
      eventually(
        `argyle says ${words}`,
        () => {
          if (!words.test(output)) throw new Error(`it said: ${output}`);
        },
        20_000,
      ),
    ended: new Promise((resolve) => child.on("close", (code) => resolve({ code, output }))),
  };
}

function filesBelow(dir: string): readonly string[] {
  return readdirSync(dir, { withFileTypes: true, recursive: true })
    .filter((entry) => !/^argyle-\d+$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}
