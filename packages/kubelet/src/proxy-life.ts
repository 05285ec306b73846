/**
 * The container of a pod that a proxy worker hosts, as its worker reports it (the table is in proxy-runner.ts): no state means that nobody hosts it,
 * another pid that the worker was restarted, which counts as a restart of the container.
 */
import type { Container, Pod } from "@argyle/kube-types";
import { type ContainerRecord, onExited, onStarted, onStarting } from "./container-record.ts";
import type { KubeletContext, PodEvents } from "./context.ts";
import { containerID } from "./pod-status.ts";
import type { ProxyState } from "./proxy-runner.ts";

export interface ProxyLife {
  onState(state: ProxyState | undefined): void;
  /** After a restart of the kubelet. */
  adopt(name: string): void;
}

export interface ProxyLifeDeps {
  readonly context: KubeletContext;
  readonly podIP: string;
  readonly pod: () => Pod;
  readonly record: (name: string) => ContainerRecord;
  readonly change: (name: string, update: (record: ContainerRecord) => ContainerRecord) => void;
  readonly events: PodEvents;
  /** The hosted container, if the pod has one. */
  readonly container: () => Container | undefined;
  readonly isStopped: () => boolean;
  readonly onRunning: (container: Container) => void;
  /** The worker says that it may be ready now. */
  readonly onReady: (name: string) => void;
  readonly onEnded: (name: string) => void;
}

export function createProxyLife(deps: ProxyLifeDeps): ProxyLife {
  const { context, podIP, pod, record, change, events, onRunning, onReady, onEnded } = deps;
  const { clock } = context.options;

  const onState = (state: ProxyState | undefined) => {
    const container = deps.container();
    if (container === undefined || deps.isStopped()) return;
    const { phase } = record(container.name);
    const now = clock.now();
    if (state === undefined) {
      if (phase.kind !== "running") return;
      onEnded(container.name);
      change(container.name, (r) => onExited(r, { code: 0, signal: null, at: now }, containerID(pod(), r)));
      return;
    }
    if (state.state !== "running") return;
    const startTime = String(state.since ?? "");
    if (phase.kind === "running" && phase.pid !== state.pid) {
      const exit = { code: 137, signal: null, at: now, message: "the proxy worker ended and was started again" };
      onEnded(container.name);
      change(container.name, (r) => {
        const ended = onExited(r, exit, containerID(pod(), r));
        return onStarting({ ...ended, nextDelayMs: 0 }, r.image ?? "", r.imageID ?? "");
      });
    }
    if (record(container.name).phase.kind !== "starting") {
      if (state.isReady === true) onReady(container.name);
      return;
    }
    change(container.name, (r) => onStarted(r, state.pid, startTime, now));
    events("Normal", "Started", `Started container ${container.name}`, container);
    onRunning(container);
  };

  return {
    onState,
    adopt(name) {
      const container = deps.container();
      const state = context.proxies.state(podIP);
      const { phase } = record(name);
      if (container === undefined) return;
      if (state !== undefined && phase.kind === "running" && phase.pid === state.pid) onRunning(container);
      else if (state !== undefined) onState(state);
      // Nobody hosts it: ask again. It becomes running when the worker says so.
      else {
        const phase = { kind: "waiting", reason: "PodInitializing" } as const;
        change(name, (r) => ({ ...r, phase, ready: false, notBefore: 0 }));
      }
    },
  };
}
