/**
 * The process istiod (image istio/pilot): upstream's arguments (`discovery --monitoringAddr=:15014 …`), a service account of the cluster,
 * `--kubeconfig`, or `--config-dir` without any cluster.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  createLogger,
  describeError,
  formatFlags,
  formatProblems,
  type Logger,
  MeshError,
  parseOptions,
  systemClock,
} from "@argyle/core";
import { createKubeClient, inClusterConfig, type KubeConnection, loadKubeconfig } from "@argyle/kube-client";
import { validateIstio } from "@argyle/kube-types";
import { createXdsRegistry } from "@argyle/xds";
import { type IstiodInputs, type ListenAddress, startIstiod } from "./istiod.ts";

const FLAGS = {
  grpcAddr: { kind: "string", help: "xDS in plaintext (:15010)" },
  secureGRPCAddr: { kind: "string", help: "xDS and CA over TLS (:15012)" },
  monitoringAddr: { kind: "string", help: "metrics and /debug (:15014)" },
  httpsAddr: { kind: "string", help: "webhooks (:15017)" },
  httpAddr: { kind: "string", help: "/ready (:8080)" },
  namespace: { kind: "string", alias: "n", help: "namespace of the control plane (env POD_NAMESPACE, istio-system)" },
  kubeconfig: { kind: "string", help: "reach the cluster with this file instead of a service account" },
  "config-dir": { kind: "string", help: "read all objects from YAML files below this directory, without a cluster" },
  domain: { kind: "string", help: "accepted for compatibility; the domain is cluster.local" },
  log_output_level: { kind: "string", help: "default:LEVEL" },
  log_as_json: { kind: "boolean", help: "log lines as JSON" },
  keepaliveMaxServerConnectionAge: { kind: "string", help: "accepted for compatibility" },
  help: { kind: "boolean", alias: "h", help: "this text" },
} as const;

async function main(): Promise<void> {
  const parsed = parseOptions(process.argv.slice(2), FLAGS);
  if (!parsed.ok) return usage(formatProblems(parsed.error));
  const { flags, positionals } = parsed.value;
  if (flags.help === true) {
    process.stdout.write(`istiod: pilot-discovery discovery [flags]\n\n${formatFlags(FLAGS)}\n`);
    return;
  }
  if (positionals.length > 0 && positionals[0] !== "discovery") return usage(`unknown command ${positionals[0]}`);
  const log = createLogger({
    scope: "istiod",
    clock: systemClock,
    write: (line) => process.stderr.write(line),
    level: levelOf(flags.log_output_level),
    format: flags.log_as_json === true ? "json" : "text",
  });
  const configDir = flags["config-dir"];
  // Files are for trying things out: such an istiod is nobody else's.
  const host = configDir === undefined ? "0.0.0.0" : "127.0.0.1";
  const inputs: IstiodInputs =
    configDir !== undefined
      ? { kind: "directory", dir: configDir }
      : { kind: "cluster", client: createKubeClient({ ...connectionOf(flags.kubeconfig), userAgent: "istiod" }) };
  const istiod = await startIstiod(
    {
      namespace: flags.namespace ?? process.env.POD_NAMESPACE ?? "istio-system",
      revision: process.env.REVISION ?? "default",
      xds: listenAddress(flags.grpcAddr, host, 15010),
      secureXds: listenAddress(flags.secureGRPCAddr, host, 15012),
      monitoring: listenAddress(flags.monitoringAddr, host, 15014),
      webhooks: listenAddress(flags.httpsAddr, host, 15017),
      health: listenAddress(flags.httpAddr, host, 8080),
    },
    {
      inputs,
      registry: createXdsRegistry(readFileSync(findAsset("xds.binpb"))),
      validate: validateIstio,
      clock: systemClock,
      log,
    },
  );
  const stop = () => void shutDown(istiod, inputs, log);
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
}

async function shutDown(istiod: { close(): Promise<void> }, inputs: IstiodInputs, log: Logger): Promise<void> {
  try {
    await istiod.close();
    if (inputs.kind === "cluster") inputs.client.close();
    process.exit(0);
  } catch (error) {
    log.error("did not stop cleanly", { error: describeError(error) });
    process.exit(1);
  }
}

function connectionOf(kubeconfig: string | undefined): KubeConnection {
  if (kubeconfig !== undefined) {
    const read = loadKubeconfig(readFileSync(kubeconfig, "utf8"), { directory: dirname(kubeconfig) });
    if (!read.ok) throw new MeshError(`${kubeconfig}: ${formatProblems(read.error)}`, { code: "pilot.kubeconfig" });
    return read.value;
  }
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port, ARGYLE_ROOTFS: rootfs } = process.env;
  if (host === undefined || port === undefined) {
    throw new MeshError("no cluster: KUBERNETES_SERVICE_HOST is not set", {
      code: "pilot.no-cluster",
      advice: "run in a pod, or give --kubeconfig or --config-dir",
    });
  }
  const mounted = (name: string) => {
    const path = `/var/run/secrets/kubernetes.io/serviceaccount/${name}`;
    return rootfs !== undefined && !existsSync(path) ? join(rootfs, path) : path;
  };
  return inClusterConfig({ host, port, tokenPath: mounted("token"), caPath: mounted("ca.crt") });
}

/** Assets stand beside a process bundle, or two directories up from an image's. */
function findAsset(name: string): string {
  const found = [join(__dirname, "assets", name), join(__dirname, "../../assets", name)].find((path) =>
    existsSync(path),
  );
  if (found === undefined)
    throw new MeshError(`asset ${name} is missing`, { code: "pilot.no-asset", advice: "npm run build" });
  return found;
}

/** `:15010`, `127.0.0.1:0`, `[::]:8080`. */
function listenAddress(text: string | undefined, host: string, port: number): ListenAddress {
  if (text === undefined) return { host, port };
  const colon = text.lastIndexOf(":");
  const number = Number(text.slice(colon + 1));
  if (colon === -1 || !Number.isInteger(number)) {
    throw new MeshError(`"${text}" is not an address`, { code: "pilot.bad-address", advice: "host:port or :port" });
  }
  return { host: colon === 0 ? host : text.slice(0, colon), port: number };
}

function levelOf(text: string | undefined): "debug" | "info" | "warn" | "error" {
  const level = /(?:^|default:)(debug|info|warn|error)\b/.exec(text ?? "")?.[1];
  return level === "debug" || level === "warn" || level === "error" ? level : "info";
}

function usage(message: string): void {
  process.stderr.write(`istiod: ${message}\n`);
  process.exitCode = 2;
}

main().catch((thrown: unknown) => {
  const advice = thrown instanceof MeshError && thrown.advice !== undefined ? `\n${thrown.advice}` : "";
  process.stderr.write(`istiod: ${describeError(thrown)}${advice}\n`);
  process.exit(1);
});
