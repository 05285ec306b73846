/**
 * What the streaming requests mean for this node's pods. exec follows the rules of container-plan.ts for the program's environment. Our extension: in an
 * image that is named for one of its tools (fortio), a first word that is no executable is taken as that tool's argument (`exec POD /usr/bin/fortio -- load …`,
 * where kubectl drops what is before the dashes).
 */
import { accessSync, constants, statSync } from "node:fs";
import { join } from "node:path";
import { type Clock, describeError } from "@argyle/core";
import type { PodNetwork } from "@argyle/pod-network";
import { resolveProgram } from "../command.ts";
import { readContainerLog } from "../container-logs.ts";
import type { KubeletContext } from "../context.ts";
import { allContainers } from "../decide.ts";
import { podPaths } from "../pod-paths.ts";
import type { PodWorker } from "../pod-worker.ts";
import type { PodWorkers } from "../pod-workers.ts";
import { programEnvironment } from "../proxy-environment.ts";
import { runExec } from "./exec.ts";
import { parseAdminRequest, runAdminRequest } from "./proxy-exec.ts";
import { type RemoteSession, statusFor } from "./remote-session.ts";
import type { StreamHandlers, StreamTarget } from "./upgrade.ts";

const DIAL_TIMEOUT_MS = 5000;

export function createStreamHandlers(workers: PodWorkers, context: KubeletContext): StreamHandlers {
  const { clock, podNetwork, stateDir } = context.options;
  const find = (target: StreamTarget) => workers.find(target.namespace, target.pod);
  return {
    refuse(target) {
      const worker = find(target);
      if (worker === undefined) return { code: 404, message: `pod "${target.pod}" not found on this node` };
      if (target.kind === "portForward") return undefined;
      if (worker.record(target.container)?.phase.kind !== "running") {
        return { code: 400, message: `container not found or not running ("${target.container}")` };
      }
      if (target.kind === "exec" && target.query.getAll("command").length === 0) {
        return { code: 400, message: "you must specify at least one command for the container" };
      }
      return undefined;
    },
    session(target, session) {
      const worker = find(target);
      if (worker === undefined) session.finish(statusFor({ kind: "failed", message: "the pod is gone" }));
      else if (target.kind === "attach") void attach(worker, target.container, session, stateDir, clock);
      else exec(worker, target, session, context);
    },
    dial: (target) => {
      const podIP = find(target)?.podIP ?? "";
      return (port) => dialPod(podNetwork, podIP, port);
    },
  };
}

/** As if on the pod's own loopback: straight to the program, past its sidecar. */
function dialPod(podNetwork: PodNetwork, podIP: string, port: number) {
  return podNetwork.dial({ host: podIP, port, via: "app", timeoutMs: DIAL_TIMEOUT_MS });
}

function exec(worker: PodWorker, target: StreamTarget, session: RemoteSession, context: KubeletContext): void {
  const command = target.query.getAll("command");
  const container = allContainers(worker.pod()).find((c) => c.name === target.container);
  const planned = container === undefined ? undefined : worker.life.plan(container);
  if (planned === undefined || !planned.ok) {
    session.finish(statusFor({ kind: "failed", message: planned?.error.message ?? "the container is gone" }));
    return;
  }
  const plan = planned.value;
  const podDir = context.options.podNetwork.podDir(worker.podIP);
  if (worker.life.isProxyName(target.container)) {
    const admin = parseAdminRequest(command);
    if (admin !== undefined) {
      runAdminRequest(session, podDir, admin);
      return;
    }
  }
  const inputs = { entry: plan.image.entry, distDir: context.options.imageIndex.distDir, nodePath: context.nodePath };
  const { entry } = plan.image;
  const typed = resolveProgram(command, inputs);
  const isForTool =
    entry.bin?.includes(entry.id) === true &&
    typed.argv === command &&
    !isExecutable(command[0] ?? "", plan.env.PATH ?? "", plan.cwd);
  const program = isForTool ? resolveProgram([entry.id, ...command], inputs) : typed;
  const { runDir } = context.options;
  const pod = worker.pod();
  const env = {
    ...programEnvironment({ plan, isNode: program.isNode, pod, podIP: worker.podIP, runDir }),
    PS1: `${pod.metadata.name} (host files) $ `,
    ENV: "",
    ARGYLE_RUN_DIR: runDir,
  };
  const needsMounts = !program.isNode && plan.mounts.length > 0;
  const wrapped = needsMounts
    ? (context.mountNamespace?.wrap(
        program.argv,
        plan.cwd,
        plan.mounts,
        podPaths(context.options.stateDir, worker.uid).container(target.container),
      ) ?? program.argv)
    : program.argv;
  runExec(session, { argv: wrapped, env, cwd: plan.cwd }, context.options.clock);
}

/** The container's live output; a container that wants stdin (`kubectl run -i`) is shown from its beginning. Its input is /dev/null. */
async function attach(
  worker: PodWorker,
  container: string,
  session: RemoteSession,
  stateDir: string,
  clock: Clock,
): Promise<void> {
  const abort = new AbortController();
  session.onClose(() => abort.abort());
  session.stdin?.resume();
  const restart = worker.life.isProxyName(container) ? 0 : (worker.record(container)?.restartCount ?? 0);
  const isInteractive = allContainers(worker.pod()).some((c) => c.name === container && c.stdin === true);
  const source = {
    path: podPaths(stateDir, worker.uid).log(container, restart),
    isRunning: () => worker.record(container)?.phase.kind === "running",
  };
  const options = { follow: true, timestamps: false, ...(isInteractive ? {} : { tailLines: 0 }) };
  try {
    for await (const text of readContainerLog(source, options, clock, abort.signal)) session.stdout?.write(text);
    const phase = worker.record(container)?.phase;
    session.finish(statusFor({ kind: "exited", code: phase?.kind === "terminated" ? phase.exit.exitCode : 0 }));
  } catch (error) {
    session.finish(statusFor({ kind: "failed", message: describeError(error) }));
  }
}

function isExecutable(file: string, path: string, cwd: string): boolean {
  const candidates = file.includes("/")
    ? [file.startsWith("/") ? file : join(cwd, file)]
    : path.split(":").map((dir) => join(dir, file));
  return candidates.some((candidate) => {
    try {
      accessSync(candidate, constants.X_OK);
      return statSync(candidate).isFile();
    } catch {
      return false;
    }
  });
}
