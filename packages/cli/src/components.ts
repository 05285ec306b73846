/** The processes that the supervisor keeps running, and how each is started. */
import { join } from "node:path";
import type { StartParams } from "@argyle/supervisor";
import { distDirectory, type Instance } from "./instance.ts";
import type { InstanceRecord } from "./record.ts";

const RESTART = { baseMs: 100, maxMs: 5000 } as const;

export const COMPONENTS = ["cluster", "worker-sidecars", "worker-gateways", "kube-proxy"] as const;

export type ComponentName = (typeof COMPONENTS)[number];

export function componentStart(
  name: ComponentName,
  instance: Instance,
  record: InstanceRecord,
  env: NodeJS.ProcessEnv,
): StartParams {
  const log = join(instance.stateDir, "logs", `${name}.log`);
  return {
    name,
    argv: [process.execPath, ...programOf(name, instance, record)],
    env: baseEnvironment(env),
    cwd: instance.stateDir,
    stdout: log,
    stderr: log,
    restart: RESTART,
  };
}

function programOf(name: ComponentName, instance: Instance, record: InstanceRecord): readonly string[] {
  const bundle = (file: string) => join(distDirectory(), file);
  const directories = ["--run-dir", instance.runDir, "--state-dir", instance.stateDir];
  switch (name) {
    case "cluster":
      return [bundle("cluster.cjs"), ...directories, "--api-port", String(record.apiPort)];
    case "kube-proxy":
      return [
        bundle("kube-proxy.cjs"),
        "--run-dir",
        instance.runDir,
        "--kubeconfig",
        join(instance.stateDir, "pki/kube-proxy.kubeconfig"),
      ];
    case "worker-sidecars":
    case "worker-gateways": {
      const worker = name.slice("worker-".length);
      return [
        bundle("proxy.cjs"),
        "--worker",
        worker,
        "--worker-dir",
        join(instance.runDir, "workers", worker),
        "--run-dir",
        instance.runDir,
      ];
    }
  }
}

/** What a process of ours may know of the user's environment: where programs are and how to speak, nothing secret. */
export function baseEnvironment(env: NodeJS.ProcessEnv): Readonly<Record<string, string>> {
  const kept: Record<string, string> = {};
  for (const name of ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "XDG_CACHE_HOME"]) {
    const value = env[name];
    if (value !== undefined) kept[name] = value;
  }
  return kept;
}
