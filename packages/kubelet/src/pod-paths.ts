/** Where a pod's things are on the host (ARCHITECTURE.md, "Directories"). */
import { join } from "node:path";

export interface PodPaths {
  readonly dir: string;
  readonly volumes: string;
  readonly rootfs: string;
  volume(name: string): string;
  /** The working directory of a container without one of its own, and its HOME. */
  container(name: string): string;
  log(container: string, restart: number): string;
}

export function podPaths(stateDir: string, uid: string): PodPaths {
  const dir = join(stateDir, "pods", uid);
  return {
    dir,
    volumes: join(dir, "volumes"),
    rootfs: join(dir, "rootfs"),
    volume: (name) => join(dir, "volumes", name),
    container: (name) => join(dir, name),
    log: (container, restart) => join(dir, container, `${restart}.log`),
  };
}
