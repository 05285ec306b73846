/**
 * The text of a pod's preload file. The configuration is inside the file and not in the environment, because a Worker or a child with an
 * `env` of its own loses every variable but still gets `--require` from us.
 */
import { parseIpRange } from "./ip-address.ts";
import type { PreloadConfig } from "./preload/config.ts";

export interface PreloadVolumeMount {
  /** Absolute path as the program sees it. */
  readonly mountPath: string;
  /** Where it is on the host. */
  readonly hostPath: string;
}

export interface PreloadOptions {
  /** dist/preload.cjs */
  readonly preloadPath: string;
  readonly runDir: string;
  readonly podDir: string;
  readonly podIP: string;
  readonly podName: string;
  readonly namespace: string;
  /** Set only where mount namespaces are not available: absolute paths under a mountPath are mapped for fs calls. */
  readonly volumeMounts?: readonly PreloadVolumeMount[];
  /** Ports of LoadBalancer Services and the cluster IP that serves each: 127.0.0.1:<port> inside the pod may mean them. */
  readonly loadBalancerPorts?: Readonly<Record<number, string>>;
  /** The pod's annotations; only traffic.sidecar.istio.io/{include,exclude}Outbound* are read. */
  readonly annotations?: Readonly<Record<string, string>>;
  readonly podCidr?: string;
  readonly serviceCidr?: string;
}

const PREFIX = "traffic.sidecar.istio.io/";

/** The text of `$RUN/<podIP>/preload.cjs`: requires preloadPath and installs it with this pod's configuration. */
export function renderPreload(options: PreloadOptions): string {
  const config = buildPreloadConfig(options);
  return `"use strict";\nrequire(${JSON.stringify(options.preloadPath)}).install(${JSON.stringify(config)});\n`;
}

/** What `install` and `createRouter` are given for a pod. */
export function buildPreloadConfig(options: Omit<PreloadOptions, "preloadPath">): PreloadConfig {
  const annotations = options.annotations ?? {};
  return {
    preloadFile: `${options.podDir}/preload.cjs`,
    runDir: options.runDir,
    podDir: options.podDir,
    podIP: options.podIP,
    podName: options.podName,
    namespace: options.namespace,
    podCidr: options.podCidr ?? "10.244.0.0/16",
    serviceCidr: options.serviceCidr ?? "10.96.0.0/12",
    volumeMounts: options.volumeMounts ?? [],
    loadBalancerPorts: options.loadBalancerPorts ?? {},
    includeOutboundIPRanges: rangesOf(annotations[`${PREFIX}includeOutboundIPRanges`]) ?? ["*"],
    excludeOutboundIPRanges: rangesOf(annotations[`${PREFIX}excludeOutboundIPRanges`]) ?? [],
    includeOutboundPorts: portsOf(annotations[`${PREFIX}includeOutboundPorts`]),
    excludeOutboundPorts: portsOf(annotations[`${PREFIX}excludeOutboundPorts`]),
  };
}

/** NODE_OPTIONS for a container: ours first, then what the container set itself. */
export function nodeOptionsFor(preloadFile: string, existing: string | undefined): string {
  const ours = `--require=${quoted(preloadFile)}`;
  return existing === undefined || existing.trim() === "" ? ours : `${ours} ${existing}`;
}

/** NODE_OPTIONS is split at blanks unless they are in double quotes; a backslash escapes inside them. */
function quoted(path: string): string {
  return /[\s"\\]/.test(path) ? `"${path.replace(/["\\]/g, "\\$&")}"` : path;
}

/** Istio's list of ranges; `*` is every address. Entries that are no range are dropped (the injector has refused them). */
function rangesOf(list: string | undefined): readonly string[] | undefined {
  if (list === undefined) return undefined;
  return list
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry === "*" || parseIpRange(entry) !== undefined);
}

function portsOf(list: string | undefined): readonly number[] {
  return (list ?? "")
    .split(",")
    .map((entry) => Number(entry.trim() || Number.NaN))
    .filter((port) => Number.isInteger(port) && port > 0 && port < 65_536);
}
