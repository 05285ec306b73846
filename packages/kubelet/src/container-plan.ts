/**
 * Everything that is needed to run a container, or a command in it: program, environment, directories. Used for starts, exec and exec probes alike,
 * so that they cannot differ. Failures carry the waiting reason that Kubernetes would show.
 */
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { err, formatProblems, ok, type Result } from "@argyle/core";
import type { Container, Pod } from "@argyle/kube-types";
import { nodeOptionsFor } from "@argyle/pod-network";
import { resolveCommand } from "./command.ts";
import type { KubeletContext } from "./context.ts";
import { buildEnvironment } from "./environment.ts";
import type { ImageEntry, ResolvedImage } from "./image-index.ts";
import type { PodPaths } from "./pod-paths.ts";
import type { ContainerMount, PodVolumes } from "./volumes.ts";

export interface PlanInputs {
  readonly pod: Pod;
  readonly container: Container;
  readonly podIP: string;
  readonly podDir: string;
  readonly paths: PodPaths;
  readonly volumes: PodVolumes;
}

export interface ContainerPlan {
  readonly image: ResolvedImage;
  readonly argv: readonly string[];
  readonly isNode: boolean;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly mounts: readonly ContainerMount[];
  readonly rootfs: string;
}

export interface PlanFailure {
  readonly reason: string;
  readonly message: string;
}

/** Variables of the host that a container sees unless it sets them. */
const HOST_VARIABLES = ["PATH", "LANG", "LC_ALL", "TZ", "USER", "LOGNAME", "XDG_RUNTIME_DIR"];

export function planContainer(inputs: PlanInputs, context: KubeletContext): Result<ContainerPlan, PlanFailure> {
  const { pod, container, podIP, paths } = inputs;
  const { imageIndex } = context.options;
  const namespace = pod.metadata.namespace ?? "default";
  const image = imageIndex.resolve(container.image ?? "", pod.metadata.labels ?? {});
  if (!image.ok) return image;
  const { entry } = image.value;
  const home = paths.container(container.name);
  mkdirSync(home, { recursive: true });

  const env = buildEnvironment({
    pod,
    container,
    podIP,
    node: context.node,
    imageEnv: image.value.env,
    hostEnv: hostVariables(entry, home, context),
    services: context.lookup.services(namespace),
    configMap: (name) => context.lookup.configMap(namespace, name),
    secret: (name) => context.lookup.secret(namespace, name),
  });
  if (!env.ok) return err({ reason: "CreateContainerConfigError", message: formatProblems(env.error) });
  const full = {
    ...env.value,
    ...runtimeVariables(inputs, home, context),
    NODE_OPTIONS: nodeOptionsFor(join(inputs.podDir, "preload.cjs"), env.value.NODE_OPTIONS),
  };

  const isHosted = entry.runtime === "proxy";
  const command = isHosted
    ? ok({ argv: container.args ?? [], isNode: true })
    : resolveCommand({
        container,
        entry,
        distDir: imageIndex.distDir,
        nodePath: context.nodePath,
        env: full,
      });
  if (!command.ok) return err({ reason: "CreateContainerConfigError", message: command.error });
  const mounts = inputs.volumes.mounts(container, full);
  const rootfs = inputs.volumes.rootfs(container, full);
  return ok({
    image: image.value,
    ...command.value,
    env: full,
    cwd: workingDirectory(container, rootfs, home),
    mounts,
    rootfs,
  });
}

function hostVariables(entry: ImageEntry, home: string, context: KubeletContext): Readonly<Record<string, string>> {
  const { hostEnv } = context.options;
  const env: Record<string, string> = {};
  for (const name of HOST_VARIABLES) {
    const value = hostEnv[name];
    if (value !== undefined) env[name] = value;
  }
  const bin = imageBinDir(entry, context);
  env.PATH = [...(bin === undefined ? [] : [bin]), env.PATH ?? "/usr/local/bin:/usr/bin:/bin"].join(":");
  env.HOME = entry.id === "host" ? (hostEnv.HOME ?? home) : home;
  return env;
}

function runtimeVariables(inputs: PlanInputs, home: string, context: KubeletContext): Readonly<Record<string, string>> {
  const { hostEnv } = context.options;
  const cache = hostEnv.XDG_CACHE_HOME ?? (hostEnv.HOME === undefined ? undefined : join(hostEnv.HOME, ".cache"));
  return {
    ARGYLE_POD_DIR: inputs.podDir,
    ARGYLE_POD_IP: inputs.podIP,
    ARGYLE_CONTAINER_DIR: home,
    ARGYLE_CONTAINER_ROOTFS: inputs.paths.rootfs,
    ARGYLE_CONTAINER_PORTS: (inputs.container.ports ?? []).map((port) => port.containerPort).join(","),
    ARGYLE_CACHE_DIR: join(cache ?? context.options.stateDir, "argyle"),
  };
}

/** The image's tools as executables, so that `fortio` and `sh -c 'fortio …'` find them on PATH. */
function imageBinDir(entry: ImageEntry, context: KubeletContext): string | undefined {
  if (entry.bin === undefined || entry.bin.length === 0) return undefined;
  const dir = join(context.options.stateDir, "kubelet", "bin", entry.id);
  mkdirSync(dir, { recursive: true });
  for (const tool of entry.bin) {
    const script = `#!/bin/sh\nexec "${context.nodePath}" "${context.options.imageIndex.distDir}/${entry.directory}/bin/${tool}.cjs" "$@"\n`;
    const path = join(dir, tool);
    if (existsSync(path)) continue;
    writeFileSync(path, script);
    chmodSync(path, 0o755);
  }
  return dir;
}

/** In the rootfs when a volume is mounted there, on the host when it exists there, else the container's own directory. */
function workingDirectory(container: Container, rootfs: string, home: string): string {
  if (container.workingDir === undefined) return home;
  const mapped = join(rootfs, container.workingDir);
  if (existsSync(mapped)) return mapped;
  return existsSync(container.workingDir) ? container.workingDir : home;
}
