/**
 * One start of an instance from nothing to the first answered request, or the rest of one that was cut short. Every step looks at what is there
 * already, so it may be repeated: components that run stay, the control plane is applied when its manifests are new, else only what is missing is made,
 * as of the demo.
 */
import { statfsSync } from "node:fs";
import { join } from "node:path";
import { HOST, HOST_PORTS } from "@argyle/cluster";
import { ARGYLE_VERSION, MeshError, systemClock } from "@argyle/core";
import type { KubeClient } from "@argyle/kube-client";
import type { SupervisorClient } from "@argyle/supervisor";
import { waitForApi } from "./api.ts";
import type { CommandContext } from "./command.ts";
import { COMPONENTS, type ComponentName, componentStart } from "./components.ts";
import { deployControlPlane, deployDemo, deployStorefront, waitForShop } from "./deploy.ts";
import { checkoutDirectory, type Instance, prepareDirectories } from "./instance.ts";
import { createPhases, type Phases } from "./phases.ts";
import { choosePort } from "./port-choice.ts";
import { type Demo, type InstanceRecord, writeRecord } from "./record.ts";
import { startSupervisor } from "./supervisor-process.ts";

export interface StartChoices {
  readonly demo: Demo | undefined;
  readonly apiPort: number | undefined;
  readonly gatewayPort: number | undefined;
}

const LEAST_FREE_BYTES = 200 * 1024 * 1024;

/** Checks the host, chooses ports and writes the record of a new start. */
export async function prepareStart(
  context: CommandContext,
  choices: StartChoices,
  previous: InstanceRecord | undefined,
): Promise<InstanceRecord> {
  const { instance, terminal } = context;
  checkDisk(instance);
  const apiWish = { flag: "api-port", given: choices.apiPort, previous: previous?.apiPort, fallback: HOST_PORTS.api };
  const apiPort = await choosePort(apiWish, new Set(), terminal.note);
  const gatewayWish = {
    flag: "gateway-port",
    given: choices.gatewayPort,
    previous: previous?.gatewayPort,
    fallback: HOST_PORTS.gatewayHttp,
  };
  const gatewayPort = await choosePort(gatewayWish, new Set([apiPort]), terminal.note);
  const demo = choices.demo ?? previous?.demo ?? "sock-shop";
  prepareDirectories(instance, previous?.runDir);
  const record: InstanceRecord = {
    version: ARGYLE_VERSION,
    checkout: checkoutDirectory(),
    stateDir: instance.stateDir,
    runDir: instance.runDir,
    apiPort,
    gatewayPort,
    demo,
    isDeployed: previous?.demo === demo && previous.isDeployed,
    ...(previous?.controlPlane === undefined ? {} : { controlPlane: previous.controlPlane }),
    phase: "starting",
    startedAt: systemClock.now(),
  };
  writeRecord(record);
  return record;
}

/** From the record to an instance that is up. `running` is the supervisor of a start that was cut short. */
export async function bringUp(
  context: CommandContext,
  record: InstanceRecord,
  running: SupervisorClient | undefined,
  signal: AbortSignal,
): Promise<SupervisorClient> {
  const { instance, terminal, env } = context;
  const phases = createPhases(terminal);
  const supervisor = await phases.run("start", "supervisor, API server, proxies", async () => {
    const client = running ?? (await startSupervisor(instance, env, signal));
    await startComponents(
      client,
      COMPONENTS.filter((name) => name !== "kube-proxy"),
      context,
      record,
    );
    return client;
  });
  const api = await phases.run("api", `Kubernetes API on ${HOST}:${record.apiPort}`, async () => {
    const client = await waitForApi(instance, supervisor, signal);
    await startComponents(supervisor, ["kube-proxy"], context, record);
    return client;
  });
  try {
    const deployed = await deploy(api, record, phases, context, signal);
    writeRecord({ ...deployed, isDeployed: true, phase: "up" });
  } finally {
    api.close();
  }
  return supervisor;
}

async function startComponents(
  supervisor: SupervisorClient,
  names: readonly ComponentName[],
  context: CommandContext,
  record: InstanceRecord,
): Promise<void> {
  const existing = new Set((await supervisor.list()).map((entry) => entry.name));
  for (const name of names) {
    if (!existing.has(name)) await supervisor.start(componentStart(name, context.instance, record, context.env));
  }
}

/** Returns the record with what was deployed, which is written as it goes: a start that is cut short knows how far it came. */
async function deploy(
  api: KubeClient,
  before: InstanceRecord,
  phases: Phases,
  context: CommandContext,
  signal: AbortSignal,
): Promise<InstanceRecord> {
  if (before.demo === "none") return before;
  const demoDir = join(checkoutDirectory(), "demo");
  const { resumed, hash } = await phases.run("mesh", "istiod and the ingress gateway", () =>
    deployControlPlane(api, demoDir, before.gatewayPort, before.controlPlane, signal),
  );
  const record = { ...before, controlPlane: hash };
  writeRecord(record);
  if (resumed > 0) context.terminal.note(`resumed  ${resumed} objects of the earlier run (--fresh starts over)\n`);
  if (record.demo === "mesh") return record;
  await phases.run("shop", "the first answer of the Sock Shop", async () => {
    if (!record.isDeployed) {
      await deployStorefront(api, demoDir);
    }
    await waitForShop(record.gatewayPort, signal);
  });
  if (!record.isDeployed) await phases.run("pods", "the rest of the shop", () => deployDemo(api, demoDir, signal));
  return record;
}

function checkDisk(instance: Instance): void {
  const disk = statfsSync(instance.stateDir);
  const free = disk.bavail * disk.bsize;
  if (free >= LEAST_FREE_BYTES) return;
  throw new MeshError(`only ${Math.floor(free / 1024 / 1024)} MB are free where ${instance.stateDir} lies`, {
    code: "instance.disk-full",
    advice: "free at least 200 MB, or set ARGYLE_STATE_DIR to a directory on another disk",
  });
}
