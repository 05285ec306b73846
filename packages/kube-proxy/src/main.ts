/** The process kube-proxy: flags, signals, nothing else. */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import {
  createLogger,
  describeError,
  formatFlags,
  formatProblems,
  MeshError,
  parseOptions,
  systemClock,
} from "@argyle/core";
import { createKubeClient, loadKubeconfig } from "@argyle/kube-client";
import { createPodNetwork } from "@argyle/pod-network";
import { startKubeProxy } from "./kube-proxy.ts";

const FLAGS = {
  kubeconfig: { kind: "string", help: "kubeconfig of the cluster (required)" },
  "run-dir": { kind: "string", help: "directory of the pod network's sockets (required)" },
  "host-port": {
    kind: "list",
    help: "WISHED:SERVED, a LoadBalancer port served under another number; may be repeated",
  },
  "log-level": { kind: "string", oneOf: ["debug", "info", "warn", "error"], help: "least level that is logged" },
  "log-format": { kind: "string", oneOf: ["text", "json"], help: "form of log lines" },
  help: { kind: "boolean", alias: "h", help: "this text" },
} as const;

function main(): void {
  const parsed = parseOptions(process.argv.slice(2), FLAGS);
  if (!parsed.ok) {
    usage(formatProblems(parsed.error));
    return;
  }
  const { flags } = parsed.value;
  if (flags.help === true) {
    process.stdout.write(`kube-proxy: virtual IPs, cluster DNS and host ports\n\n${formatFlags(FLAGS)}\n`);
    return;
  }
  const { kubeconfig, "run-dir": runDir } = flags;
  if (kubeconfig === undefined || runDir === undefined) {
    usage("--kubeconfig and --run-dir are required");
    return;
  }
  const hostPortMap = parseHostPorts(flags["host-port"] ?? []);
  if (hostPortMap === undefined) {
    usage("--host-port: must be WISHED:SERVED, two port numbers");
    return;
  }

  const log = createLogger({
    scope: "kube-proxy",
    clock: systemClock,
    write: (line) => process.stderr.write(line),
    level: levelOf(flags["log-level"]),
    format: flags["log-format"] === "json" ? "json" : "text",
  });
  const connection = loadKubeconfig(readFileSync(kubeconfig, "utf8"), { directory: dirname(kubeconfig) });
  if (!connection.ok)
    throw new MeshError(`${kubeconfig}: ${formatProblems(connection.error)}`, { code: "kube-proxy.kubeconfig" });
  const client = createKubeClient({ ...connection.value, userAgent: "kube-proxy" });
  const proxy = startKubeProxy({
    client,
    podNetwork: createPodNetwork({ runDir }),
    runDir,
    clock: systemClock,
    log,
    random: Math.random,
    hostPortMap,
  });
  const stop = () => {
    proxy.close().then(
      () => {
        client.close();
        process.exit(0);
      },
      (thrown: unknown) => {
        log.error("did not stop cleanly", { error: describeError(thrown) });
        process.exit(1);
      },
    );
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
}

function parseHostPorts(texts: readonly string[]): ReadonlyMap<number, number> | undefined {
  const map = new Map<number, number>();
  for (const text of texts) {
    const match = /^(\d{1,5}):(\d{1,5})$/.exec(text);
    if (match === null) return undefined;
    map.set(Number(match[1]), Number(match[2]));
  }
  return map;
}

function levelOf(text: string | undefined): "debug" | "info" | "warn" | "error" {
  return text === "debug" || text === "warn" || text === "error" ? text : "info";
}

function usage(problem: string): void {
  process.stderr.write(`kube-proxy: ${problem}\n\n${formatFlags(FLAGS)}\n`);
  process.exitCode = 2;
}

try {
  main();
} catch (thrown) {
  process.stderr.write(`kube-proxy: ${describeError(thrown)}\n`);
  process.exitCode = 1;
}
