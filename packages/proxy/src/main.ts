/** The proxy process: hosts the sidecars or gateways of a worker directory, or runs alone from an Envoy bootstrap file. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  createLogger,
  describeError,
  formatFlags,
  formatProblems,
  type LogLevel,
  MeshError,
  parseOptions,
  systemClock,
} from "@argyle/core";
import { createPodNetwork } from "@argyle/pod-network";
import { createXdsRegistry } from "@argyle/xds";
import { createAgentShared } from "./agent/agent.ts";
import { createTimerWheel } from "./io/timer-wheel.ts";
import { startStandalone } from "./standalone.ts";
import { createIstiodConnector } from "./worker/istiod-connector.ts";
import { startSidecar } from "./worker/sidecar.ts";
import { startWorker } from "./worker/worker.ts";

const FLAGS = {
  worker: { kind: "string", help: "name of the worker (sidecars, gateways)" },
  "worker-dir": { kind: "string", help: "directory with one file for each hosted proxy" },
  "run-dir": { kind: "string", help: "directory of the pod network's sockets" },
  config: { kind: "string", alias: "c", help: "run alone from this Envoy bootstrap file (YAML or JSON)" },
  "drain-ms": { kind: "number", help: "longest wait for open connections when a proxy stops (5000)" },
  "log-level": { kind: "string", oneOf: ["debug", "info", "warn", "error"], help: "log level" },
  "log-format": { kind: "string", oneOf: ["text", "json"], help: "log format" },
  help: { kind: "boolean", alias: "h", help: "this text" },
} as const;

const READ_DESCRIPTORS_MS = 1000;

async function main(): Promise<void> {
  const parsed = parseOptions(process.argv.slice(2), FLAGS);
  if (!parsed.ok) {
    process.stderr.write(`${formatProblems(parsed.error)}\n`);
    process.exit(2);
  }
  const { flags } = parsed.value;
  if (flags.help === true) {
    process.stdout.write(
      `usage: proxy --worker NAME --worker-dir DIR --run-dir DIR | --config FILE\n${formatFlags(FLAGS)}\n`,
    );
    return;
  }
  const log = createLogger({
    scope: flags.worker === undefined ? "proxy" : `worker-${flags.worker}`,
    clock: systemClock,
    level: (flags["log-level"] as LogLevel | undefined) ?? "info",
    ...(flags["log-format"] === "json" ? { format: "json" as const } : {}),
    write: (line) => void process.stderr.write(line),
  });
  const onSignal = (stop: () => Promise<void> | void) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const)
      process.once(signal, () => {
        Promise.resolve(stop()).then(
          () => process.exit(0),
          (error: unknown) => {
            log.error("cannot stop cleanly", { error: describeError(error) });
            process.exit(1);
          },
        );
      });
  };
  if (flags.config !== undefined) {
    const standalone = await startStandalone(flags.config, {
      clock: systemClock,
      log,
      stdout: (text) => void process.stdout.write(text),
    });
    onSignal(() => standalone.close());
    return;
  }
  const runDir = flags["run-dir"];
  const directory = flags["worker-dir"];
  if (runDir === undefined || directory === undefined) {
    process.stderr.write("--worker-dir and --run-dir are needed, or --config\n");
    process.exit(2);
  }
  const network = createPodNetwork({ runDir });
  const registry = createXdsRegistry(readFileSync(join(__dirname, "assets/xds.binpb")));
  const shared = createAgentShared(registry);
  const wheel = createTimerWheel(systemClock);
  const heldDir = join(directory, "held");
  const connectIstiod = createIstiodConnector({
    network,
    clock: systemClock,
    log,
    directory: join(directory, "istiod"),
  });
  const worker = startWorker({
    directory,
    clock: systemClock,
    log,
    pid: process.pid,
    drainMs: flags["drain-ms"] ?? 5000,
    heldDir,
    start: (spec) =>
      startSidecar(spec, {
        network,
        runDir,
        heldDir,
        clock: systemClock,
        wheel,
        shared,
        connectIstiod: connectIstiod.connect,
        log,
      }),
  });
  log.info("worker started", { directory, pid: process.pid });
  // Before the first pod comes; a worker that took over serves first.
  systemClock.after(READ_DESCRIPTORS_MS, () => void registry.files, { unref: true });
  onSignal(async () => {
    await worker.close();
    connectIstiod.close();
    wheel.close();
  });
}

main().catch((error: unknown) => {
  process.stderr.write(`${describeError(error)}\n`);
  process.exit(error instanceof MeshError && error.code === "proxy.config.invalid" ? 2 : 1);
});
