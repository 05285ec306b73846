/**
 * `argyle up`: starts an instance, applies the control plane and the demo, waits until the first request goes through, and stays in the
 * foreground until Ctrl-C (or returns with -d). A second `up` shows the running instance and follows it.
 */
import { spawn } from "node:child_process";
import { mkdirSync, openSync, readFileSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { findFreePort, HOST, HOST_PORTS } from "@argyle/cluster";
import { ARGYLE_VERSION, formatFlags, formatProblems, MeshError, parseOptions, sleep, systemClock } from "@argyle/core";
import type { KubeClient } from "@argyle/kube-client";
import { connectSupervisor, type SupervisorClient } from "@argyle/supervisor";
import { waitForApi } from "../api.ts";
import { type Command, type CommandContext, GLOBAL_FLAGS } from "../command.ts";
import { baseEnvironment, COMPONENTS, componentStart } from "../components.ts";
import { type Demo, deployControlPlane, deployDemo, waitForShop } from "../deploy.ts";
import { EXIT, usageError } from "../exit.ts";
import {
  checkoutDirectory,
  distDirectory,
  findRunning,
  type Instance,
  type InstanceRecord,
  prepareDirectories,
  readRecord,
  resetState,
  stopRunning,
  takeStartLock,
  withFreshRunDir,
  writeRecord,
} from "../instance.ts";
import { createPhases } from "../phases.ts";
import { describeUrls } from "../urls.ts";
import { printStatus } from "./status.ts";

const FLAGS = {
  ...GLOBAL_FLAGS,
  detach: { kind: "boolean", alias: "d", help: "return when it is up instead of staying in the foreground" },
  fresh: { kind: "boolean", help: "forget the state of an earlier run" },
  demo: { kind: "string", oneOf: ["none", "mesh", "sock-shop"], help: "what to deploy (default sock-shop)" },
  "api-port": { kind: "number", help: `port of the Kubernetes API on ${HOST} (default ${HOST_PORTS.api}, 0 for any)` },
  "gateway-port": {
    kind: "number",
    help: `port of the ingress gateway (default ${HOST_PORTS.gatewayHttp}, 0 for any)`,
  },
} as const;

const SUPERVISOR_DEADLINE_MS = 5000;
const LEAST_FREE_BYTES = 200 * 1024 * 1024;

export const up: Command = {
  name: "up",
  summary: "start the mesh and the demo (what npm start does)",
  usage: `argyle up [flags]\n\n${formatFlags(FLAGS)}`,
  async run(argv, located) {
    const options = parseOptions(argv, FLAGS);
    if (!options.ok) throw usageError(formatProblems(options.error));
    const { flags } = options.value;
    const running = await findRunning(located.instance);
    if (running !== undefined) return followRunning(running, flags.detach === true, located);
    const instance = withFreshRunDir(located.instance, located.env, systemClock.now());
    const context: CommandContext = { ...located, instance };

    const abort = new AbortController();
    const onSignal = () => abort.abort(new MeshError("interrupted", { code: "interrupted" }));
    process.once("SIGINT", onSignal);
    process.once("SIGTERM", onSignal);
    const release = takeLock(context.instance);
    let supervisor: SupervisorClient | undefined;
    try {
      if (flags.fresh === true) resetState(context.instance);
      const started = performance.now();
      supervisor = await startInstance(context, flags, abort.signal);
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      const record = readRecord(context.instance.stateDir);
      if (record !== undefined)
        context.terminal.out(describeUrls(context.instance, record, seconds, flags.demo ?? "sock-shop"));
      release();
      if (flags.detach === true) return EXIT.ok;
      context.terminal.note("Ctrl-C stops everything.\n");
      await untilStopped(supervisor, context.instance, abort.signal);
      return EXIT.ok;
    } catch (error) {
      if (supervisor === undefined) supervisor = await findRunning(context.instance);
      throw error;
    } finally {
      release();
      if (flags.detach !== true || abort.signal.aborted) await stopInstance(supervisor, context);
      supervisor?.close();
    }
  },
};

function takeLock(instance: Instance): () => void {
  mkdirSync(instance.stateDir, { recursive: true, mode: 0o700 });
  return takeStartLock(instance);
}

async function startInstance(
  context: CommandContext,
  flags: { readonly demo?: string; readonly "api-port"?: number; readonly "gateway-port"?: number },
  signal: AbortSignal,
): Promise<SupervisorClient> {
  const { instance, terminal, env } = context;
  const phases = createPhases(terminal);
  checkDisk(instance);
  const previous = readRecord(instance.stateDir);
  prepareDirectories(instance, previous?.runDir);
  const record: InstanceRecord = {
    version: ARGYLE_VERSION,
    checkout: checkoutDirectory(),
    runDir: instance.runDir,
    apiPort: await choosePort("api-port", flags["api-port"] ?? previous?.apiPort, HOST_PORTS.api, context),
    gatewayPort: await choosePort(
      "gateway-port",
      flags["gateway-port"] ?? previous?.gatewayPort,
      HOST_PORTS.gatewayHttp,
      context,
    ),
    startedAt: systemClock.now(),
  };
  writeRecord(instance, record);

  const supervisor = await phases.run("start", "supervisor, API server, proxies", async () => {
    const client = await startSupervisor(instance, env, signal);
    for (const name of COMPONENTS) {
      if (name !== "kube-proxy") await client.start(componentStart(name, instance, record, env));
    }
    return client;
  });
  const api = await phases.run("api", `Kubernetes API on ${HOST}:${record.apiPort}`, async () => {
    const client = await waitForApi(instance, signal);
    await supervisor.start(componentStart("kube-proxy", instance, record, env));
    return client;
  });
  try {
    await deploy(api, record, (flags.demo ?? "sock-shop") as Demo, phases, context, signal);
  } finally {
    api.close();
  }
  return supervisor;
}

async function deploy(
  api: KubeClient,
  record: InstanceRecord,
  demo: Demo,
  phases: ReturnType<typeof createPhases>,
  context: CommandContext,
  signal: AbortSignal,
): Promise<void> {
  if (demo === "none") return;
  const resumed = await phases.run("mesh", "istiod and the ingress gateway", () =>
    deployControlPlane(api, join(checkoutDirectory(), "demo"), record.gatewayPort, signal),
  );
  if (resumed > 0) context.terminal.note(`resumed  ${resumed} objects of the earlier run (--fresh starts over)\n`);
  if (demo === "mesh") return;
  await phases.run("shop", "Sock Shop", async () => {
    if (resumed === 0) await deployDemo(api, join(checkoutDirectory(), "demo"));
    await waitForShop(record.gatewayPort, signal);
  });
}

/** The wished port or, for one that nobody asked for by name, the next free one, said aloud. */
async function choosePort(
  flag: string,
  wished: number | undefined,
  fallback: number,
  context: CommandContext,
): Promise<number> {
  const start = wished === undefined ? fallback : wished === 0 ? 20_000 + Math.floor(Math.random() * 20_000) : wished;
  const port = await findFreePort(start);
  if (port !== start && wished !== 0) {
    context.terminal.note(`ports    ${HOST}:${start} is in use, taking ${port} instead (--${flag} chooses another)\n`);
  }
  return port;
}

function checkDisk(instance: Instance): void {
  const disk = statfsSync(instance.stateDir);
  if (disk.bavail * disk.bsize >= LEAST_FREE_BYTES) return;
  throw new MeshError(
    `only ${Math.floor((disk.bavail * disk.bsize) / 1024 / 1024)} MB are free where ${instance.stateDir} lies`,
    {
      code: "instance.disk-full",
      advice: "free at least 200 MB, or set XDG_STATE_HOME to a directory on another disk",
    },
  );
}

async function startSupervisor(
  instance: Instance,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<SupervisorClient> {
  const log = openSync(join(instance.stateDir, "logs/supervisor.log"), "a");
  const child = spawn(
    process.execPath,
    [join(distDirectory(), "supervisor.cjs"), "--run-dir", instance.runDir, "--state-dir", instance.stateDir],
    { detached: true, stdio: ["ignore", log, log], env: baseEnvironment(env), cwd: instance.stateDir },
  );
  child.unref();
  const end = performance.now() + SUPERVISOR_DEADLINE_MS;
  for (;;) {
    signal.throwIfAborted();
    try {
      return await connectSupervisor(join(instance.runDir, "supervisor.sock"));
    } catch (error) {
      if (child.exitCode !== null || performance.now() > end) {
        const tail = readFileSync(join(instance.stateDir, "logs/supervisor.log"), "utf8")
          .trimEnd()
          .split("\n")
          .slice(-3)
          .join("\n");
        throw new MeshError(`the supervisor did not start: ${tail}`, { code: "instance.supervisor", cause: error });
      }
      await sleep(systemClock, 10, signal);
    }
  }
}

/** Resolves when the supervisor is gone; rejects on Ctrl-C. */
async function untilStopped(supervisor: SupervisorClient, instance: Instance, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      await sleep(systemClock, 500, signal);
    } catch {
      return;
    }
    try {
      await supervisor.list();
    } catch {
      if ((await findRunning(instance)) === undefined) {
        throw new MeshError("the instance has ended", {
          code: "instance.ended",
          advice: `if nobody stopped it, look at ${instance.stateDir}/logs/supervisor.log`,
        });
      }
    }
  }
}

async function stopInstance(supervisor: SupervisorClient | undefined, context: CommandContext): Promise<void> {
  if (supervisor === undefined) return;
  context.terminal.note("\nstopping …\n");
  const started = performance.now();
  try {
    await stopRunning(context.instance, supervisor);
  } catch (error) {
    if (!(error instanceof MeshError) || error.code !== "supervisor.unreachable") throw error;
  }
  context.terminal.note(
    `stopped  ${((performance.now() - started) / 1000).toFixed(1)} s, state is kept in ${context.instance.stateDir}\n`,
  );
}

async function followRunning(
  supervisor: SupervisorClient,
  isDetached: boolean,
  context: CommandContext,
): Promise<number> {
  const record = readRecord(context.instance.stateDir);
  try {
    if (record !== undefined && (record.version !== ARGYLE_VERSION || record.checkout !== checkoutDirectory())) {
      throw new MeshError(
        `instance ${context.instance.name} already runs from ${record.checkout} (version ${record.version})`,
        {
          code: "instance.other-version",
          advice: `end it first with: ${join(record.checkout, "argyle")} down`,
        },
      );
    }
    context.terminal.note(`instance ${context.instance.name} is already running\n`);
    await printStatus(supervisor, context, "text");
    if (isDetached) return EXIT.ok;
    context.terminal.note("following it; Ctrl-C leaves it running, `./argyle down` ends it\n");
    const abort = new AbortController();
    process.once("SIGINT", () => abort.abort());
    await untilStopped(supervisor, context.instance, abort.signal);
    return EXIT.ok;
  } finally {
    supervisor.close();
  }
}
