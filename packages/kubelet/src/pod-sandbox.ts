/**
 * What a pod has before its first container: an IP, an empty run directory for its sockets, the preload file, and its volumes.
 * The run directory is emptied only when the pod gets a new sandbox, so that a listener's EADDRINUSE is always real.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Pod } from "@argyle/kube-types";
import { renderPreload } from "@argyle/pod-network";
import type { KubeletContext } from "./context.ts";
import type { PodPaths } from "./pod-paths.ts";
import type { PodVolumes } from "./volumes.ts";

/** Makes `$RUN/<podIP>`, empty unless it is there already and `isAdopted`. */
export function makePodDir(podDir: string, isAdopted: boolean): void {
  if (isAdopted && existsSync(podDir)) return;
  rmSync(podDir, { recursive: true, force: true });
  mkdirSync(podDir, { recursive: true, mode: 0o700 });
}

/** Writes the pod's preload. All containers share one file: the first mount of a path wins, as paths rarely differ. */
export function writePreload(
  pod: Pod,
  podIP: string,
  podDir: string,
  volumes: PodVolumes,
  context: KubeletContext,
): void {
  const { options } = context;
  const mounts = new Map<string, string>();
  for (const container of pod.spec.containers) {
    for (const mount of volumes.mounts(container, {})) {
      if (!mounts.has(mount.mountPath)) mounts.set(mount.mountPath, mount.hostPath);
    }
  }
  const text = renderPreload({
    preloadPath: options.preloadPath,
    runDir: options.runDir,
    podDir,
    podIP,
    podName: pod.metadata.name,
    namespace: pod.metadata.namespace ?? "default",
    volumeMounts: [...mounts].map(([mountPath, hostPath]) => ({ mountPath, hostPath })),
    loadBalancerPorts: context.lookup.loadBalancerPorts(),
    ...(pod.metadata.annotations === undefined ? {} : { annotations: pod.metadata.annotations }),
  });
  const path = join(podDir, "preload.cjs");
  // The containers of a pod come one after the other, and nothing has changed meanwhile.
  if (existsSync(path) && readFileSync(path, "utf8") === text) return;
  writeFileSync(`${path}.tmp`, text);
  renameSync(`${path}.tmp`, path);
}

/** Removes everything of the pod from disk. Logs go with it, as under Kubernetes. */
export function removeSandbox(podDir: string, paths: PodPaths): void {
  rmSync(podDir, { recursive: true, force: true });
  rmSync(paths.dir, { recursive: true, force: true });
}
