/**
 * Start and end of the containers of one pod: the I/O behind the actions of `decide`. A container is a process of the supervisor, or hosted by a proxy
 * worker; both report back asynchronously, and the worker turns reports into records.
 */
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { describeError, type Result } from "@argyle/core";
import type { Container, Pod } from "@argyle/kube-types";
import { resolveProgram } from "./command.ts";
import { createContainerEndings } from "./container-endings.ts";
import { type ContainerPlan, type PlanFailure, planContainer } from "./container-plan.ts";
import { type ContainerProbes, startContainerProbes } from "./container-probes.ts";
import { type ContainerRecord, onExited, onStarted, onStartFailed, onStarting } from "./container-record.ts";
import type { KubeletContext, PodEvents } from "./context.ts";
import { allContainers } from "./decide.ts";
import { createHostProgramEvents } from "./host-program-events.ts";
import type { PodPaths } from "./pod-paths.ts";
import { containerID } from "./pod-status.ts";
import { type ProbeContext, runProbe } from "./probe-actions.ts";
import { containerEnvironment, programEnvironment } from "./proxy-environment.ts";
import { createProxyLife } from "./proxy-life.ts";
import type { ProxyState } from "./proxy-runner.ts";
import { runCommand } from "./run-command.ts";
import type { PodVolumes } from "./volumes.ts";

export interface ContainerLife {
  isProxy(container: Container): boolean;
  isProxyName(name: string): boolean;
  plan(container: Container): Result<ContainerPlan, PlanFailure>;
  start(container: Container): Promise<void>;
  /** preStop, SIGTERM, and SIGKILL after the grace period. Returns at once. */
  kill(container: Container, reason: string, graceMs: number): void;
  killAll(records: readonly ContainerRecord[]): Promise<void>;
  /** It runs (started or adopted): begins its probes. */
  onRunning(container: Container): void;
  onEnded(name: string): void;
  onProxyState(state: ProxyState | undefined): void;
  adoptProxy(name: string): void;
  /** A shorter grace period may have come with it. */
  onPodUpdated(): void;
  /** It will be killed for this reason (OOMKilled), which its exit then carries. */
  setExitReason(name: string, reason: string): void;
  takeExitReason(name: string): { readonly reason?: string };
  stop(): void;
}

export interface ContainerLifeDeps {
  readonly context: KubeletContext;
  readonly uid: string;
  readonly podIP: string;
  readonly podDir: string;
  readonly paths: PodPaths;
  readonly volumes: PodVolumes;
  readonly pod: () => Pod;
  readonly record: (name: string) => ContainerRecord;
  readonly change: (name: string, update: (record: ContainerRecord) => ContainerRecord) => void;
  readonly events: PodEvents;
  readonly writePreload: () => void;
}

export function createContainerLife(deps: ContainerLifeDeps): ContainerLife {
  const { context, uid, podIP, podDir, paths, change, record, events } = deps;
  const { clock, imageIndex, podNetwork } = context.options;
  const probes = new Map<string, ContainerProbes>();
  const exitReasons = new Map<string, string>();
  let isStopped = false;

  const refOf = (name: string) => ({ uid, container: name, restart: record(name).restartCount });
  const isProxy = (container: Container) => {
    const image = imageIndex.resolve(container.image ?? "", deps.pod().metadata.labels ?? {});
    return image.ok && image.value.entry.runtime === "proxy" && container.args?.[0] !== "istio-iptables";
  };
  const proxyContainer = () => allContainers(deps.pod()).find(isProxy);
  const plan = (container: Container) =>
    planContainer({ pod: deps.pod(), container, podIP, podDir, paths, volumes: deps.volumes }, context);

  const proxyInputs = (planned: ContainerPlan, isNode: boolean) => ({
    plan: planned,
    isNode,
    pod: deps.pod(),
    podIP,
    runDir: context.options.runDir,
  });

  const probeContext = (container: Container): ProbeContext => ({
    container,
    podIP,
    podNetwork,
    clock,
    async exec(command, timeoutMs) {
      const planned = plan(container);
      if (!planned.ok) return { code: 126, output: planned.error.message };
      const program = resolveProgram(command, {
        entry: planned.value.image.entry,
        distDir: imageIndex.distDir,
        nodePath: context.nodePath,
      });
      const env = programEnvironment(proxyInputs(planned.value, program.isNode));
      return runCommand({ ...planned.value, env }, program.argv, timeoutMs, clock);
    },
  });

  const onRunning = (container: Container) => {
    probes.get(container.name)?.stop();
    const update = (patch: Partial<ContainerRecord>) => {
      if (!isStopped && record(container.name).phase.kind === "running") {
        change(container.name, (r) => ({ ...r, ...patch }));
      }
    };
    probes.set(
      container.name,
      startContainerProbes({
        container,
        isProxy: isProxy(container),
        honourDelay: deps.pod().metadata.annotations?.["argyle.dev/probe-delay"] === "honour",
        clock,
        context: probeContext(container),
        onStarted: () => update({ started: true }),
        onReady: (isReady) => update(isReady ? { ready: true, wasReady: true } : { ready: false }),
        onDead: (kind) => {
          const graceMs = (deps.pod().spec.terminationGracePeriodSeconds ?? 30) * 1000;
          kill(container, `Container ${container.name} failed ${kind} probe, will be restarted`, graceMs);
        },
        onFailure: (kind, message) => {
          const name = `${kind[0]?.toUpperCase()}${kind.slice(1)}`;
          events("Warning", "Unhealthy", `${name} probe failed: ${message}`, container);
        },
      }),
    );
    const postStart = container.lifecycle?.postStart;
    if (postStart !== undefined && record(container.name).phase.kind === "running") void runPostStart(container);
  };

  const runPostStart = async (container: Container) => {
    const handler = container.lifecycle?.postStart;
    if (handler === undefined) return;
    const outcome = await runProbe(handler, probeContext(container), 30_000);
    if (outcome.ok || isStopped) return;
    events("Warning", "FailedPostStartHook", `PostStartHook failed: ${outcome.message}`, container);
    kill(container, `FailedPostStartHook`, 2000);
  };

  const start = async (container: Container) => {
    const planned = plan(container);
    if (!planned.ok) {
      const { reason, message } = planned.error;
      events("Warning", "Failed", `Error: ${reason}: ${message}`, container);
      change(container.name, (r) => onStartFailed(r, reason, message, clock.now()));
      return;
    }
    const { image, argv, env, cwd, rootfs, isNode, mounts } = planned.value;
    events("Normal", "Pulled", `Container image "${image.image}" already present on machine`, container);
    change(container.name, (r) => onStarting(r, image.image, image.imageID));
    const log = paths.log(container.name, record(container.name).restartCount);
    if (image.entry.runtime === "proxy" && container.args?.[0] === "istio-iptables") {
      // The pod network captures by itself: there is nothing to set up, so it is done at once.
      const now = clock.now();
      change(container.name, (r) =>
        onExited(onStarted(r, 0, "", now), { code: 0, signal: null, at: now }, containerID(deps.pod(), r)),
      );
      return;
    }
    try {
      deps.writePreload();
      if (isProxy(container)) {
        const proxyLog = paths.log(container.name, 0);
        touch(proxyLog);
        const args = container.args ?? [];
        context.proxies.start({ podIP, podUid: uid, containerName: container.name, args, env, rootfs, log: proxyLog });
        events("Normal", "Created", `Created container: ${container.name}`, container);
        proxy.onState(context.proxies.state(podIP));
        return;
      }
      touch(log);
      const wrapped = isNode
        ? argv
        : (context.mountNamespace?.wrap(argv, cwd, mounts, paths.container(container.name)) ?? argv);
      if (!isNode) hostPrograms.onStart(container, mounts.length > 0 && context.mountNamespace === undefined);
      const full = await containerEnvironment(proxyInputs(planned.value, isNode), clock);
      const spec = { argv: wrapped, env: full, cwd, log, podDir };
      const process = await context.processes.start(refOf(container.name), spec);
      // Its exit may have been told first; then it is over already.
      if (record(container.name).phase.kind !== "starting") return;
      change(container.name, (r) => onStarted(r, process.pid, process.startTime, clock.now()));
      events("Normal", "Created", `Created container: ${container.name}`, container);
      events("Normal", "Started", `Started container ${container.name}`, container);
      onRunning(container);
    } catch (error) {
      const message = describeError(error);
      events("Warning", "Failed", `Error: ${message}`, container);
      change(container.name, (r) => onStartFailed(r, "RunContainerError", message, clock.now()));
    }
  };

  const signal = (container: Container, name: "SIGTERM" | "SIGKILL") => {
    if (isProxy(container)) {
      if (name === "SIGTERM") context.proxies.stop(podIP);
      else context.proxies.discard(podIP);
      return;
    }
    context.processes.signal(refOf(container.name), name).catch((error: unknown) => {
      context.log.warn("cannot signal", { container: container.name, signal: name, error: describeError(error) });
    });
  };

  const kill = (container: Container, reason: string, graceMs: number) => {
    const { phase } = record(container.name);
    if (endings.has(container.name)) return;
    if (phase.kind === "starting" && isProxy(container)) {
      // No worker has taken it up yet: withdraw the order, nobody else will report an end.
      context.proxies.stop(podIP);
      const now = clock.now();
      change(container.name, (r) => onExited(r, { code: 0, signal: null, at: now }, containerID(deps.pod(), r)));
      return;
    }
    if (phase.kind !== "running") return;
    events("Normal", "Killing", reason, container);
    probes.get(container.name)?.stop();
    endings.begin(container, graceMs);
    change(container.name, (r) => ({ ...r, ready: false, killing: { since: clock.now(), reason } }));
  };

  const runPreStop = async (container: Container, graceMs: number) => {
    const handler = container.lifecycle?.preStop;
    if (handler === undefined || graceMs === 0) return;
    const outcome = await runProbe(handler, probeContext(container), graceMs);
    if (!outcome.ok) events("Warning", "FailedPreStopHook", `PreStopHook failed: ${outcome.message}`, container);
  };

  const onEnded = (name: string) => {
    probes.get(name)?.stop();
    probes.delete(name);
    endings.forget(name);
    if (!isProxyName(name)) context.processes.forget(refOf(name)).catch(() => undefined);
  };
  const isProxyName = (name: string) => proxyContainer()?.name === name;

  const endings = createContainerEndings({ clock, preStop: runPreStop, signal });
  const hostPrograms = createHostProgramEvents(events);
  const proxy = createProxyLife({
    ...deps,
    container: proxyContainer,
    isStopped: () => isStopped,
    onRunning,
    onReady: (name) => probes.get(name)?.hurry(),
    onEnded,
  });

  return {
    isProxy,
    isProxyName,
    plan,
    start,
    kill,
    onRunning,
    onEnded,
    onProxyState: proxy.onState,
    adoptProxy: proxy.adopt,
    async killAll(records) {
      // First, so that nobody is led to programs that are gone.
      context.proxies.kill(podIP);
      for (const { name, phase } of records) {
        probes.get(name)?.stop();
        endings.forget(name);
        if (phase.kind !== "running" && phase.kind !== "starting") continue;
        if (!isProxyName(name)) await context.processes.signal(refOf(name), "SIGKILL");
      }
    },
    onPodUpdated() {
      const seconds = deps.pod().metadata.deletionGracePeriodSeconds;
      if (seconds !== undefined) endings.shorten(seconds * 1000);
    },
    setExitReason: (name, reason) => void exitReasons.set(name, reason),
    takeExitReason(name) {
      const reason = exitReasons.get(name);
      exitReasons.delete(name);
      return reason === undefined ? {} : { reason };
    },
    stop() {
      isStopped = true;
      for (const probe of probes.values()) probe.stop();
      endings.stop();
    },
  };
}

/** The log exists from the start, so that `kubectl logs -f` finds it. */
function touch(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  closeSync(openSync(path, "a", 0o600));
}
