/**
 * `argyle up`: starts an instance, applies the control plane and the demo, waits until the first request goes through, and stays in the
 * foreground until Ctrl-C (or returns with -d). A second `up` shows the running instance and follows it; one whose start was cut short is
 * brought up to the end. The instance does not depend on this process: killed with -9, it leaves the instance running.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { HOST, HOST_PORTS } from "@argyle/cluster";
import { ARGYLE_VERSION, formatFlags, MeshError, sleep, systemClock } from "@argyle/core";
import type { SupervisorClient } from "@argyle/supervisor";
import { type Command, type CommandContext, GLOBAL_FLAGS, readFlags, usageError } from "../command.ts";
import { EXIT } from "../exit.ts";
import {
  checkoutDirectory,
  explainStateError,
  findRunning,
  type Instance,
  instanceFlag,
  readRecord,
  resetState,
  stopRunning,
  withFreshRunDir,
} from "../instance.ts";
import { checkPorts } from "../port-choice.ts";
import { DEMOS, type Demo, type InstanceRecord } from "../record.ts";
import { bringUp, prepareStart, type StartChoices } from "../start.ts";
import { takeStartLock } from "../start-lock.ts";
import { endedInOrder } from "../supervisor-process.ts";
import { describeUrls } from "../urls.ts";
import { printStatus } from "./status.ts";

const FLAGS = {
  ...GLOBAL_FLAGS,
  detach: { kind: "boolean", alias: "d", help: "return when it is up instead of staying in the foreground" },
  fresh: { kind: "boolean", help: "forget the state of an earlier run" },
  demo: { kind: "string", oneOf: DEMOS, help: "what to deploy (default: as in the earlier run, else sock-shop)" },
  "api-port": {
    kind: "number",
    help: `port of the Kubernetes API on ${HOST}; 0 for any, an error if busy (default ${HOST_PORTS.api}, or the next free one)`,
  },
  "gateway-port": {
    kind: "number",
    help: `port of the ingress gateway, likewise (default ${HOST_PORTS.gatewayHttp}, or the next free one)`,
  },
} as const;

export const up: Command = {
  name: "up",
  summary: "start the mesh and the demo (what npm start does)",
  usage: `argyle up [flags]

${formatFlags(FLAGS)}

In the foreground Ctrl-C stops everything and ends with 0; during the start it ends with 130. Without its foreground process
(kill -9) the instance goes on: argyle status shows it, argyle up follows it again, argyle down ends it.`,
  async run(argv, located) {
    const flags = readFlags("up", argv, FLAGS);
    const portProblems = checkPorts({ "api-port": flags["api-port"], "gateway-port": flags["gateway-port"] });
    if (portProblems.length > 0) throw usageError("up", portProblems);
    const choices: StartChoices = {
      demo: DEMOS.find((demo: Demo) => demo === flags.demo),
      apiPort: flags["api-port"],
      gatewayPort: flags["gateway-port"],
    };
    const running = await findRunning(located.instance);
    const record = running === undefined ? undefined : readRecord(located.instance);
    if (running !== undefined && record === undefined) throw runsUnknown(located.instance);
    if (running !== undefined && record !== undefined) {
      try {
        checkSameCheckout(located.instance, record);
        if (flags.fresh === true) throw stillRunning(located.instance);
        if (record.phase === "up") {
          if (Object.values(choices).some((choice) => choice !== undefined))
            located.terminal.note("it runs already: --demo, --api-port and --gateway-port are for a new start\n");
          return await followRunning(running, flags.detach === true, located);
        }
      } finally {
        if (record.phase === "up" || flags.fresh === true) running.close();
      }
    }
    return startAndStay(located, { choices, running, record, isDetached: flags.detach === true, isFresh: flags.fresh });
  },
};

const HUNG_UP = new MeshError("the terminal was closed", { code: "interrupted" });

interface StartRequest {
  readonly choices: StartChoices;
  /** Supervisor and record of a start that was cut short. */
  readonly running: SupervisorClient | undefined;
  readonly record: InstanceRecord | undefined;
  readonly isDetached: boolean;
  readonly isFresh: boolean | undefined;
}

async function startAndStay(located: CommandContext, request: StartRequest): Promise<number> {
  const { terminal } = located;
  const instance =
    request.running === undefined
      ? withFreshRunDir(located.instance, located.env, systemClock.now())
      : located.instance;
  const context: CommandContext = { ...located, instance };
  const abort = new AbortController();
  const onSignal = () => abort.abort(new MeshError("interrupted", { code: "interrupted" }));
  process.once("SIGINT", onSignal);
  process.once("SIGTERM", onSignal);
  process.once("SIGHUP", () => abort.abort(HUNG_UP));

  const release = lock(instance);
  let supervisor = request.running;
  try {
    if (request.isFresh === true) resetState(instance);
    const started = performance.now();
    if (supervisor !== undefined) terminal.note("an earlier start was cut short, going on with it\n");
    const previous = readRecord(located.instance);
    const record = request.record ?? (await prepareStart(context, request.choices, previous));
    supervisor = await bringUp(context, record, supervisor, abort.signal);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    terminal.out(describeUrls(instance, record, seconds));
  } catch (error) {
    throw await afterFailure(error, supervisor, context, request.isDetached && !abort.signal.aborted);
  } finally {
    release();
  }
  try {
    if (request.isDetached) return EXIT.ok;
    terminal.note("Ctrl-C stops everything.\n");
    if (await untilStopped(supervisor, instance, abort.signal)) return EXIT.ok;
    await stopInstance(supervisor, context);
    // Nobody reads an exit code; and Node aborts when it restores the settings of a terminal that is gone.
    if (abort.signal.reason === HUNG_UP) process.kill(process.pid, "SIGHUP");
    return EXIT.ok;
  } finally {
    supervisor.close();
  }
}

function lock(instance: Instance): () => void {
  try {
    return takeStartLock(instance);
  } catch (error) {
    throw explainStateError(error, instance);
  }
}

/** A start that failed leaves nothing behind, except with -d: then it stays for a look, and the error says so. */
async function afterFailure(
  error: unknown,
  known: SupervisorClient | undefined,
  context: CommandContext,
  staysForALook: boolean,
): Promise<unknown> {
  const { instance } = context;
  const explained = explainStateError(error, instance);
  const supervisor = known ?? (await findRunning(instance));
  if (supervisor === undefined) {
    rmSync(instance.runDir, { recursive: true, force: true });
    return explained;
  }
  try {
    if (!staysForALook) await stopInstance(supervisor, context);
  } finally {
    supervisor.close();
  }
  if (!staysForALook || !(explained instanceof MeshError)) return explained;
  const flag = instanceFlag(instance);
  const { message, code, cause, advice } = explained;
  const look = `what did start is left running for a look: ./argyle status${flag}, logs in ${join(instance.stateDir, "logs")}`;
  const next = `./argyle up -d${flag} tries to finish the start, ./argyle down${flag} ends it`;
  return new MeshError(message, { code, cause, advice: [advice, look, next].filter(Boolean).join("\n  ") });
}

/** True when the supervisor is gone, false on Ctrl-C. */
async function untilStopped(supervisor: SupervisorClient, instance: Instance, signal: AbortSignal): Promise<boolean> {
  for (;;) {
    try {
      await sleep(systemClock, 250, signal);
    } catch {
      return false;
    }
    try {
      await supervisor.list();
    } catch {
      if ((await findRunning(instance)) !== undefined) continue;
      if (endedInOrder(instance)) {
        process.stderr.write(`instance ${instance.name} was stopped\n`);
        return true;
      }
      throw new MeshError(`instance ${instance.name} has ended unexpectedly`, {
        code: "instance.ended",
        advice: `look at ${join(instance.stateDir, "logs/supervisor.log")}; its state is kept`,
      });
    }
  }
}

async function stopInstance(supervisor: SupervisorClient, context: CommandContext): Promise<void> {
  context.terminal.note("\nstopping …\n");
  const started = performance.now();
  try {
    await stopRunning(context.instance, supervisor);
  } catch (error) {
    if (!(error instanceof MeshError) || error.code !== "supervisor.unreachable") throw error;
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  context.terminal.note(`stopped  ${seconds} s, state is kept in ${context.instance.stateDir}\n`);
}

function checkSameCheckout(instance: Instance, record: InstanceRecord): void {
  if (record.version === ARGYLE_VERSION && record.checkout === checkoutDirectory()) return;
  throw new MeshError(
    `instance ${instance.name} already runs from ${record.checkout} (version ${record.version}); this is ${checkoutDirectory()} (version ${ARGYLE_VERSION})`,
    {
      code: "instance.other-version",
      advice: `end it first with: ${join(record.checkout, "argyle")} down${instanceFlag(instance)}, or start a second one: ./argyle up --instance NAME`,
    },
  );
}

function runsUnknown(instance: Instance): MeshError {
  return new MeshError(`instance ${instance.name} already runs, started by another version of Argyle`, {
    code: "instance.other-version",
    advice: `end it first with: ./argyle down${instanceFlag(instance)}`,
  });
}

function stillRunning(instance: Instance): MeshError {
  return new MeshError(`instance ${instance.name} is running, and --fresh would remove its state`, {
    code: "instance.running",
    advice: `end it first with: ./argyle down${instanceFlag(instance)}`,
  });
}

async function followRunning(
  supervisor: SupervisorClient,
  isDetached: boolean,
  context: CommandContext,
): Promise<number> {
  const { instance, terminal } = context;
  terminal.note(`instance ${instance.name} is already running\n`);
  await printStatus(supervisor, context, "text");
  if (isDetached) return EXIT.ok;
  terminal.note(`following it; Ctrl-C leaves it running, ./argyle down${instanceFlag(instance)} ends it\n`);
  const abort = new AbortController();
  process.once("SIGINT", () => abort.abort());
  await untilStopped(supervisor, instance, abort.signal);
  return EXIT.ok;
}
