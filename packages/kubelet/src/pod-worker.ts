/**
 * The rim around `decide` for one pod: carries actions out, turns what happens (exits, probe verdicts, proxy states) into records, publishes status.
 * Invariants: `sync` never runs twice at a time (the queue in pod-workers.ts keys by uid); every change of a record goes through `change`, which
 * persists it (before the process is started, and when it has ended) and asks for another sync; nothing is started once the pod is gone.
 */
import { describeError, MeshError, rfc3339Seconds } from "@argyle/core";
import { isConflict, isNotFound } from "@argyle/kube-client";
import { type Container, type Pod, resourceOf } from "@argyle/kube-types";
import { type ContainerLife, createContainerLife } from "./container-life.ts";
import { type ContainerExit, type ContainerRecord, newRecord, onExited, onStarted } from "./container-record.ts";
import { type KubeletContext, podEvents } from "./context.ts";
import { allContainers, decide } from "./decide.ts";
import { podPaths } from "./pod-paths.ts";
import { makePodDir, removeSandbox, writePreload } from "./pod-sandbox.ts";
import type { PodState } from "./pod-state-file.ts";
import { computeStatus, containerID } from "./pod-status.ts";
import type { AdoptedProcess } from "./process-runner.ts";
import { processName } from "./process-runner.ts";
import type { ProxyState } from "./proxy-runner.ts";
import { createPodTokens } from "./token-source.ts";
import { refersTo } from "./volume-content.ts";
import { createPodVolumes } from "./volumes.ts";

export interface PodWorker {
  readonly uid: string;
  readonly podIP: string;
  pod(): Pod;
  update(pod: Pod): void;
  /** One round; returns when it wants the next one, if nothing happens before. */
  sync(): Promise<{ readonly requeueAfterMs?: number } | undefined>;
  onProcessExited(container: string, restart: number, exit: ContainerExit): void;
  onProxyState(state: ProxyState | undefined): void;
  /** A ConfigMap or Secret changed. */
  onConfigChanged(kind: "ConfigMap" | "Secret", name: string): void;
  /** After a restart of the cluster process: takes over what runs. */
  adopt(found: ReadonlyMap<string, AdoptedProcess>): void;
  /** The object is gone from the API server (forced deletion): kill and clean up. */
  vanish(): Promise<void>;
  record(container: string): ContainerRecord | undefined;
  life: ContainerLife;
  stop(): void;
}

const SETUP_RETRY_MS = 1000;

export function createPodWorker(
  first: Pod,
  previous: PodState | undefined,
  context: KubeletContext,
  requestSync: (uid: string) => void,
): PodWorker {
  const { options, recorder, states, statuses } = context;
  const { clock, podNetwork, stateDir } = options;
  const uid = first.metadata.uid ?? "";
  const podIP = previous?.podIP ?? context.ips.allocate();
  const podDir = podNetwork.podDir(podIP);
  const paths = podPaths(stateDir, uid);
  const volumes = createPodVolumes(first, paths, stateDir, createPodTokens(first, options.client, clock));
  const startTime = previous?.startTime ?? clock.now();
  const records = new Map((previous?.records ?? []).map((record) => [record.name, record]));
  let pod = first;
  let isGone = false;
  let hasSandbox = false;
  let renewAt: number | undefined;
  let configDirty = false;
  let setupFailure: { readonly reason: string; readonly message: string } | undefined;

  const recordOf = (name: string) => records.get(name) ?? newRecord(name);
  const state = (): PodState => {
    const { namespace = "default", name } = pod.metadata;
    return { uid, namespace, name, podIP, startTime, records: [...records.values()] };
  };
  const change = (name: string, update: (record: ContainerRecord) => ContainerRecord) => {
    const record = update(recordOf(name));
    records.set(name, record);
    // That it runs the supervisor or the proxy worker will tell again, and that it is ready the next probe.
    if (!isGone && record.phase.kind === "running") states.saveSoon(uid, state);
    else if (!isGone) states.save(state());
    requestSync(uid);
  };
  const events = (...args: Parameters<ReturnType<typeof podEvents>>) => podEvents(pod, recorder)(...args);

  const life = createContainerLife({
    context,
    uid,
    podIP,
    podDir,
    paths,
    volumes,
    pod: () => pod,
    record: recordOf,
    change,
    events,
    writePreload: () => writePreload(pod, podIP, podDir, volumes, context),
  });

  const setUp = async (): Promise<boolean> => {
    const isDue = !hasSandbox || configDirty || (renewAt !== undefined && renewAt <= clock.now());
    if (!isDue) return true;
    try {
      if (!hasSandbox) makePodDir(podDir, previous !== undefined);
      configDirty = false;
      const namespace = pod.metadata.namespace ?? "default";
      const synced = await volumes.sync({
        pod,
        podIP,
        node: context.node,
        configMap: (name) => context.lookup.configMap(namespace, name),
        secret: (name) => context.lookup.secret(namespace, name),
      });
      renewAt = synced.renewAt;
      hasSandbox = true;
      setupFailure = undefined;
      return true;
    } catch (error) {
      configDirty = true;
      const message = describeError(error);
      const reason =
        error instanceof MeshError && error.code.startsWith("kubelet.volume")
          ? "FailedMount"
          : "FailedCreatePodSandBox";
      if (setupFailure?.message !== message) events("Warning", reason, message);
      setupFailure = { reason, message };
      // A running pod keeps its old content; only a new one has to wait.
      return hasSandbox;
    }
  };

  const publish = () => {
    if (isGone) return;
    const { namespace = "default", name } = pod.metadata;
    const status = computeStatus({
      pod,
      records,
      podIP: hasSandbox ? podIP : undefined,
      hostIP: context.node.hostIP,
      now: clock.now(),
      startTime,
      ...(setupFailure === undefined ? {} : { setupFailure }),
    });
    statuses.publish(uid, { namespace, name }, status);
  };

  const cleanUp = () => {
    isGone = true;
    life.stop();
    statuses.forget(uid);
    removeSandbox(podDir, paths);
    states.remove(uid);
    context.ips.release(podIP);
  };

  /** The last word on a deleted pod: the API server removes it now. */
  const remove = async () => {
    const { namespace = "default", name } = pod.metadata;
    try {
      await options.client.delete(resourceOf("Pod", ""), { namespace, name }, { gracePeriodSeconds: 0, uid });
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
    cleanUp();
  };

  return {
    uid,
    podIP,
    life,
    pod: () => pod,
    update(next) {
      const annotations = JSON.stringify(next.metadata.annotations) + JSON.stringify(next.metadata.labels);
      const before = JSON.stringify(pod.metadata.annotations) + JSON.stringify(pod.metadata.labels);
      if (annotations !== before) configDirty = true; // the downward API shows them
      pod = next;
      life.onPodUpdated();
      requestSync(uid);
    },
    async sync() {
      if (isGone) return undefined;
      const isEnding = pod.metadata.deletionTimestamp !== undefined;
      if (!isEnding && !(await setUp())) {
        publish();
        return { requeueAfterMs: SETUP_RETRY_MS };
      }
      const decision = decide({ pod, records, now: clock.now(), isProxy: life.isProxy });
      for (const action of decision.actions) {
        switch (action.kind) {
          case "start":
            await life.start(find(pod, action.container));
            break;
          case "kill":
            life.kill(find(pod, action.container), action.reason, action.graceMs);
            break;
          case "remove":
            await remove();
            return undefined;
        }
      }
      publish();
      const wakes = [decision.wakeAt, renewAt, configDirty ? clock.now() + SETUP_RETRY_MS : undefined].filter(
        (at): at is number => at !== undefined,
      );
      return wakes.length === 0 ? undefined : { requeueAfterMs: Math.max(0, Math.min(...wakes) - clock.now()) };
    },
    onProcessExited(container, restart, exit) {
      const record = recordOf(container);
      const isCurrent =
        record.restartCount === restart && (record.phase.kind === "running" || record.phase.kind === "starting");
      if (!isCurrent || isGone) return;
      life.onEnded(container);
      const reason = life.takeExitReason(container);
      change(container, (r) => onExited(r, { ...exit, ...reason }, containerID(pod, r)));
      const after = recordOf(container);
      if (after.notBefore > exit.at && pod.metadata.deletionTimestamp === undefined) {
        const { name, namespace } = pod.metadata;
        const where = `${container} in pod ${name}_${namespace}(${uid})`;
        events("Warning", "BackOff", `Back-off restarting failed container ${where}`, find(pod, container));
      }
    },
    onProxyState: (state) => life.onProxyState(state),
    onConfigChanged(kind, name) {
      if (!(pod.spec.volumes ?? []).some((volume) => refersTo(volume, kind, name))) return;
      configDirty = true;
      requestSync(uid);
    },
    adopt(found) {
      for (const record of [...records.values()]) {
        if (record.phase.kind !== "running" && record.phase.kind !== "starting") continue;
        if (life.isProxyName(record.name)) {
          life.adoptProxy(record.name);
          continue;
        }
        const ref = { uid, container: record.name, restart: record.restartCount };
        const process = found.get(processName(ref));
        if (process?.kind === "running") {
          const isSame =
            record.phase.kind === "starting" ||
            (record.phase.pid === process.pid && record.phase.startTime === process.startTime);
          if (!isSame)
            throw new MeshError(`two processes are called ${processName(ref)}`, { code: "kubelet.adopt.mismatch" });
          if (record.phase.kind === "starting") {
            change(record.name, (r) => onStarted(r, process.pid, process.startTime, clock.now()));
          }
          life.onRunning(find(pod, record.name));
        } else {
          // The supervisor does not know it: it ended with the previous supervisor. It starts again at once, as after a reboot of a node.
          const exit = process?.exit ?? {
            code: 137,
            signal: null,
            at: clock.now(),
            message: `ended before ${rfc3339Seconds(clock.now())}`,
          };
          change(record.name, (r) => {
            const ended = onExited(r, exit, containerID(pod, r));
            return process === undefined ? { ...ended, notBefore: 0, nextDelayMs: 0 } : ended;
          });
        }
      }
      requestSync(uid);
    },
    async vanish() {
      if (isGone) return;
      await life.killAll([...records.values()]);
      cleanUp();
    },
    record: (container) => records.get(container),
    stop: () => life.stop(),
  };
}

function find(pod: Pod, name: string): Container {
  const found = allContainers(pod).find((container) => container.name === name);
  if (found === undefined) throw new MeshError(`pod has no container ${name}`, { code: "kubelet.container.unknown" });
  return found;
}
