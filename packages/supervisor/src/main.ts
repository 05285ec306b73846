/**
 * supervisor.cjs: the parent of every process of one instance. Starts the components of the spec in order, serves $RUN/supervisor.sock, and ends
 * everything on SIGTERM, SIGINT or `shutdown`. Its own death by any other way makes the guard end everything.
 */
import { appendFileSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createLogger, describeError, formatProblems, parseOptions, systemClock } from "@argyle/core";
import { serveSupervisor } from "./server.ts";
import { parseSpec, toStartParams } from "./spec.ts";
import { createSupervisor } from "./supervisor.ts";

const FLAGS = {
  "run-dir": { kind: "string", help: "directory of sockets, made anew at each start" },
  "state-dir": { kind: "string", help: "directory that survives; the log goes to its logs/supervisor.log" },
  spec: { kind: "string", help: "JSON file with the components to start" },
} as const;

main().catch((error: unknown) => {
  console.error(`supervisor: ${describeError(error)}`);
  process.exit(1);
});

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2), FLAGS);
  if (!options.ok) return usage(formatProblems(options.error));
  const { "run-dir": runDir, "state-dir": stateDir, spec: specFile } = options.value.flags;
  if (runDir === undefined || stateDir === undefined) return usage("--run-dir and --state-dir are needed");
  const spec = specFile === undefined ? undefined : parseSpec(readFileSync(specFile, "utf8"));
  if (spec !== undefined && !spec.ok) return usage(`${specFile}: ${formatProblems(spec.error)}`);

  mkdirSync(runDir, { recursive: true, mode: 0o700 });
  const logFile = join(stateDir, "logs", "supervisor.log");
  mkdirSync(join(stateDir, "logs"), { recursive: true });
  const log = createLogger({
    scope: "supervisor",
    clock: systemClock,
    write: (line) => writeLine(logFile, line),
  });
  const supervisor = createSupervisor({ runDir, clock: systemClock, log });
  const finish = async () => {
    await supervisor.shutdown();
    log.info("ended");
    process.exit(0);
  };
  const end = () => void finish();
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
  process.on("SIGHUP", () => undefined);
  await serveSupervisor(supervisor, join(runDir, "supervisor.sock"), end);
  for (const component of spec?.value.components ?? []) {
    await supervisor.start(toStartParams(component)).catch(async (error: unknown) => {
      log.error("cannot start", { name: component.name, error: describeError(error) });
      await supervisor.shutdown();
      throw error;
    });
  }
}

/** What cannot be logged is lost: every process hangs on this one, so it must not end for a full disk. */
function writeLine(file: string, line: string): void {
  try {
    appendFileSync(file, line);
  } catch (error) {
    console.error(`supervisor: cannot log: ${describeError(error)}`);
  }
}

function usage(message: string): void {
  console.error(`supervisor: ${message}`);
  process.exitCode = 2;
}
