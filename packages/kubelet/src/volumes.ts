/**
 * The volumes of one pod on disk, and where each container finds them. emptyDir, configMap, secret, downwardAPI, projected and hostPath are real;
 * a PersistentVolumeClaim is a directory of its own under $STATE/volumes that outlives the pod. `rootfs` has every mountPath as a symlink.
 */
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { errnoOf, formatProblems, MeshError, type Problem } from "@argyle/core";
import type { Container, Pod, Volume } from "@argyle/kube-types";
import { expandVariables } from "./expand.ts";
import type { PodPaths } from "./pod-paths.ts";
import type { PodTokens } from "./token-source.ts";
import { type ContentInputs, hasContent, tokenSources, volumeContent } from "./volume-content.ts";
import { writeVolume } from "./volume-dir.ts";

export interface ContainerMount {
  readonly mountPath: string;
  readonly hostPath: string;
  readonly readOnly: boolean;
}

export interface PodVolumes {
  /** Builds all volumes, or brings them up to date; throws kubelet.volume.*. Returns when to come back (epoch ms). */
  sync(inputs: Omit<ContentInputs, "tokens">): Promise<{ readonly renewAt?: number }>;
  mounts(container: Container, env: Readonly<Record<string, string>>): readonly ContainerMount[];
  /** The directory that has the container's mountPaths. */
  rootfs(container: Container, env: Readonly<Record<string, string>>): string;
  remove(): void;
}

export function createPodVolumes(pod: Pod, paths: PodPaths, stateDir: string, tokens: PodTokens): PodVolumes {
  const volumes = pod.spec.volumes ?? [];
  const hostPathOf = (volume: Volume): string => {
    if (volume.hostPath !== undefined) return volume.hostPath.path;
    const claim = volume.persistentVolumeClaim?.claimName;
    if (claim !== undefined) return join(stateDir, "volumes", pod.metadata.namespace ?? "default", claim);
    return paths.volume(volume.name);
  };
  /** mountPath → volume and subPath, of the containers that share the pod's rootfs. */
  const shared = new Map<string, string>();

  const mounts: PodVolumes["mounts"] = (container, env) =>
    (container.volumeMounts ?? []).flatMap((mount) => {
      const volume = volumes.find((v) => v.name === mount.name);
      if (volume === undefined) return [];
      const subPath = mount.subPath ?? expandVariables(mount.subPathExpr ?? "", (name) => env[name]);
      const hostPath = join(hostPathOf(volume), subPath);
      return [{ mountPath: mount.mountPath, hostPath, readOnly: mount.readOnly === true }];
    });

  return {
    async sync(inputs) {
      const { tokens: held, renewAt } = await tokens.refresh(volumes.flatMap(tokenSources));
      const problems: Problem[] = [];
      for (const volume of volumes) {
        if (hasContent(volume)) {
          const files = volumeContent(volume, { ...inputs, tokens: held });
          if (files.ok) writeVolume(paths.volume(volume.name), files.value);
          else problems.push(...files.error);
        } else if (volume.hostPath !== undefined) {
          const problem = prepareHostPath(volume.hostPath);
          if (problem !== undefined) problems.push({ path: volume.name, message: problem });
        } else if (volume.emptyDir !== undefined || volume.persistentVolumeClaim !== undefined) {
          mkdirSync(hostPathOf(volume), { recursive: true });
        } else {
          problems.push({
            path: volume.name,
            message: "this kind of volume is not supported; use emptyDir or hostPath",
          });
        }
      }
      if (problems.length > 0) {
        throw new MeshError(`MountVolume.SetUp failed for volume ${formatProblems(problems)}`, {
          code: "kubelet.volume.setup-failed",
          retryable: true,
        });
      }
      return renewAt === undefined ? {} : { renewAt };
    },
    mounts,
    rootfs(container, env) {
      const own = mounts(container, env);
      const conflicts = own.some((m) => (shared.get(m.mountPath) ?? m.hostPath) !== m.hostPath);
      const root = conflicts ? join(paths.container(container.name), "rootfs") : paths.rootfs;
      mkdirSync(root, { recursive: true });
      for (const mount of [...own].sort((a, b) => a.mountPath.length - b.mountPath.length)) {
        if (!conflicts) shared.set(mount.mountPath, mount.hostPath);
        const link = join(root, mount.mountPath);
        // Looks through the link, so the volume is there too: most are, from the container before.
        if (existsSync(link)) continue;
        if (!existsSync(mount.hostPath)) mkdirSync(mount.hostPath, { recursive: true });
        mkdirSync(dirname(link), { recursive: true });
        makeLink(mount.hostPath, link);
      }
      return root;
    },
    remove: () => rmSync(paths.dir, { recursive: true, force: true }),
  };
}

/** Instead of one that leads nowhere, if need be. */
function makeLink(target: string, link: string): void {
  try {
    symlinkSync(target, link);
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
    rmSync(link, { force: true });
    symlinkSync(target, link);
  }
}

/** Source: Kubernetes, "hostPath volume types". */
function prepareHostPath(source: { readonly path: string; readonly type?: string }): string | undefined {
  const { path, type = "" } = source;
  if (type === "DirectoryOrCreate") mkdirSync(path, { recursive: true });
  else if (type === "FileOrCreate" && !existsSync(path)) writeFileSync(path, "");
  else if (type !== "" && !existsSync(path)) return `hostPath ${path} does not exist`;
  return undefined;
}
