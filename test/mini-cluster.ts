/**
 * A whole Argyle for one test file: the real command line, supervisor, processes and sockets, in directories of its own and on free ports.
 * When the test ends it is taken down, and a process or socket that is left over fails the test.
 */
import { type ChildProcess, execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { eventually } from "@argyle/testkit";

export const ROOT = resolve(process.cwd());
const CLI = join(ROOT, "dist/cli.cjs");

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface MiniCluster {
  /** `http://127.0.0.1:<port>` of the ingress gateway. */
  readonly gateway: string;
  readonly stateDir: string;
  readonly runDir: string;
  readonly kubeconfig: string;
  argyle(...args: string[]): Promise<Outcome>;
  /** The first kubectl that was found, or the one named; fails the test when the command fails. */
  kubectl(...args: string[]): Promise<string>;
  tryKubectl(
    args: readonly string[],
    options?: { readonly program?: string; readonly input?: string },
  ): Promise<Outcome>;
  /** Pid of a component (`cluster`, `kube-proxy`, `worker-sidecars` …) or of a container by `namespace/pod prefix/container`. */
  pidOf(name: string): Promise<number>;
  supervisorPid(): number;
  stop(): Promise<void>;
}

export interface MiniClusterOptions {
  readonly demo: "none" | "mesh" | "sock-shop";
}

interface Scope {
  after(fn: () => Promise<void> | void): void;
}

export async function startMiniCluster(scope: Scope, options: MiniClusterOptions): Promise<MiniCluster> {
  const home = mkdtempSync(join(tmpdir(), "ag-e2e-"));
  const env: NodeJS.ProcessEnv = { ...process.env, ARGYLE_STATE_DIR: home };
  delete env.XDG_RUNTIME_DIR;
  delete env.KUBECONFIG;
  const argyle = (...args: string[]) => run(process.execPath, [CLI, ...args, "--instance", "e2e"], { env });
  const stateDir = join(home, "e2e");

  const stop = async () => {
    const runDir = existsSync(join(stateDir, "instance.json")) ? readRecord(stateDir).runDir : undefined;
    await argyle("down");
    try {
      await eventually("no process of the instance is left", () => {
        const left = processesOf(stateDir);
        if (left.length > 0) throw new Error(`still running:\n${left.join("\n")}`);
      });
      // The guard removes the directory after the last process.
      await eventually("no socket of the instance is left", () => {
        if (runDir !== undefined && existsSync(runDir))
          throw new Error(`sockets are left in ${runDir}: ${readdirSync(runDir).join(" ")}`);
      });
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  };
  scope.after(stop);

  const started = await argyle("up", "-d", "--api-port", "0", "--gateway-port", "0", "--demo", options.demo);
  if (started.code !== 0) throw new Error(`argyle up failed (${started.code}):\n${started.stderr}\n${tails(stateDir)}`);
  const record = readRecord(stateDir);
  const kubeconfig = join(stateDir, "kubeconfig");
  const tryKubectl: MiniCluster["tryKubectl"] = (
    args,
    { program = findKubectls()[0]?.path ?? "kubectl", input } = {},
  ) =>
    run(program, args, {
      env: { ...env, KUBECONFIG: kubeconfig, HOME: home },
      ...(input === undefined ? {} : { input }),
    });
  return {
    gateway: `http://127.0.0.1:${record.gatewayPort}`,
    stateDir,
    runDir: record.runDir,
    kubeconfig,
    argyle,
    async kubectl(...args) {
      const outcome = await tryKubectl(args);
      if (outcome.code !== 0)
        throw new Error(`kubectl ${args.join(" ")} ended with ${outcome.code}: ${outcome.stderr}`);
      return outcome.stdout;
    },
    tryKubectl,
    async pidOf(name) {
      const { processes } = JSON.parse((await argyle("status", "-o", "json")).stdout) as {
        processes: readonly { name: string; pid: number; state: string }[];
      };
      const [namespace = "", pod = "", container = ""] = name.split("/");
      const found = processes.find((p) =>
        name.includes("/")
          ? p.name.startsWith(`${namespace}/${pod}`) && p.name.endsWith(`/${container}`)
          : p.name === name,
      );
      if (found === undefined || found.state !== "running")
        throw new Error(`${name} does not run: ${processes.map((p) => p.name).join(", ")}`);
      return found.pid;
    },
    supervisorPid: () => {
      const line = processesOf(stateDir).find((text) => text.includes("supervisor.cjs"));
      return Number(line?.split(" ")[0]);
    },
    stop,
  };
}

export interface Kubectl {
  readonly version: string;
  readonly path: string;
}

/** Every kubectl on this machine: $KUBECTL, what `node scripts/fetch-kubectl.mjs` cached (newest first), the PATH. */
export function findKubectls(): readonly Kubectl[] {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(process.env.HOME ?? "", ".cache"), "argyle/kubectl");
  const cached = existsSync(cache)
    ? readdirSync(cache)
        .sort()
        .reverse()
        .map((version) => ({ version: `1.${version.slice(1)}`, path: join(cache, version, "kubectl") }))
    : [];
  const given = process.env.KUBECTL === undefined ? [] : [{ version: "$KUBECTL", path: process.env.KUBECTL }];
  const onPath = (process.env.PATH ?? "").split(":").map((dir) => ({ version: "PATH", path: join(dir, "kubectl") }));
  return [...given, ...cached, ...onPath].filter(({ path }) => existsSync(path));
}

/** Why a test that needs kubectl can't run here, or false. */
export const withoutKubectl: string | false =
  findKubectls().length === 0 ? "no kubectl: set KUBECTL or run node scripts/fetch-kubectl.mjs 31 35" : false;

export function run(
  program: string,
  args: readonly string[],
  options: { readonly env: NodeJS.ProcessEnv; readonly input?: string },
): Promise<Outcome> {
  return new Promise((done) => {
    const child: ChildProcess = execFile(
      program,
      [...args],
      { env: options.env, maxBuffer: 64 * 1024 * 1024, timeout: 120_000 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
        done({ code, stdout, stderr: stderr === "" && error !== null ? error.message : stderr });
      },
    );
    child.stdin?.end(options.input ?? "");
  });
}

function readRecord(stateDir: string): {
  readonly runDir: string;
  readonly apiPort: number;
  readonly gatewayPort: number;
} {
  return JSON.parse(readFileSync(join(stateDir, "instance.json"), "utf8"));
}

/** `pid command line` of every process whose command line or environment names the state directory; Linux only. */
export function processesOf(stateDir: string): readonly string[] {
  if (!existsSync("/proc")) return [];
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return [];
    try {
      const commandLine = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim();
      const environment = readFileSync(`/proc/${name}/environ`, "utf8");
      const isZombie = /^State:\s+Z/m.test(readFileSync(`/proc/${name}/status`, "utf8"));
      const isOurs = commandLine.includes(stateDir) || environment.includes(`${stateDir}/`);
      return isOurs && !isZombie ? [`${name} ${commandLine.slice(0, 200)}`] : [];
    } catch {
      return [];
    }
  });
}

function tails(stateDir: string): string {
  const logs = join(stateDir, "logs");
  if (!existsSync(logs)) return "";
  return readdirSync(logs)
    .map((file) => `--- ${file}\n${endOf(join(logs, file), 15)}`)
    .join("\n");
}

/** The last lines of a file. */
export function endOf(path: string, lines: number): string {
  return readFileSync(path, "utf8").trimEnd().split("\n").slice(-lines).join("\n");
}
