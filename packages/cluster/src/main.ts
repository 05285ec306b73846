/** cluster.cjs: API server, controllers and kubelet in one process, a child of the supervisor. */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { createLogger, describeError, formatProblems, MeshError, parseOptions, systemClock } from "@argyle/core";
import { HOST_PORTS } from "./ports.ts";
import { startCluster } from "./up.ts";

const FLAGS = {
  "state-dir": { kind: "string", help: "directory that survives: store, keys, pods" },
  "run-dir": { kind: "string", help: "directory of sockets" },
  "api-port": { kind: "number", help: "port of the Kubernetes API" },
  "log-format": { kind: "string", oneOf: ["text", "json"], help: "form of the log" },
  "log-level": { kind: "string", oneOf: ["debug", "info", "warn", "error"], help: "least level that is logged" },
} as const;

main().catch((error: unknown) => {
  const advice = error instanceof MeshError && error.advice !== undefined ? `\n  ${error.advice}` : "";
  process.stderr.write(`cluster: ${describeError(error)}${advice}\n`);
  process.exit(1);
});

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2), FLAGS);
  if (!options.ok) return usage(formatProblems(options.error));
  const { flags } = options.value;
  const { "state-dir": stateDir, "run-dir": runDir } = flags;
  if (stateDir === undefined || runDir === undefined) return usage("--state-dir and --run-dir are needed");
  const cluster = await startCluster({
    stateDir,
    runDir,
    apiPort: flags["api-port"] ?? HOST_PORTS.api,
    distDir: dirname(fileURLToPath(import.meta.url)),
    hostEnv: process.env,
    clock: systemClock,
    log: createLogger({
      scope: "cluster",
      clock: systemClock,
      write: (line) => process.stdout.write(line),
      format: flags["log-format"] === "json" ? "json" : "text",
      level: logLevel(flags["log-level"]),
    }),
  });
  const stop = () => {
    cluster.close().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`cluster: shutdown failed: ${describeError(error)}\n`);
        process.exit(1);
      },
    );
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
}

function logLevel(text: string | undefined): "debug" | "info" | "warn" | "error" {
  return text === "debug" || text === "warn" || text === "error" ? text : "info";
}

function usage(message: string): void {
  process.stderr.write(`cluster: ${message}\n`);
  process.exitCode = 2;
}
