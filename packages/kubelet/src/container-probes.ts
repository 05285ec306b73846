/**
 * The probers of one running container. A startup probe holds the others back; without probes a container is started and ready when it runs.
 * A proxy without a readiness probe is asked on 15021, where it answers 200 after its first ACK.
 */
import type { Clock } from "@argyle/core";
import type { Container, Probe } from "@argyle/kube-types";
import { type ProbeContext, runProbe } from "./probe-actions.ts";
import { type ProbeKind, type Prober, startProber } from "./prober.ts";

export interface ContainerProbes {
  /** What has not succeeded yet is tried now. */
  hurry(): void;
  stop(): void;
}

export interface ContainerProbesOptions {
  readonly container: Container;
  readonly isProxy: boolean;
  readonly honourDelay: boolean;
  readonly clock: Clock;
  readonly context: ProbeContext;
  readonly onStarted: () => void;
  readonly onReady: (isReady: boolean) => void;
  /** Startup or liveness failed for good. */
  readonly onDead: (kind: ProbeKind) => void;
  readonly onFailure: (kind: ProbeKind, message: string) => void;
}

const PROXY_READINESS: Probe = {
  httpGet: { path: "/healthz/ready", port: 15021 },
  periodSeconds: 15,
  failureThreshold: 4,
};

const PROXY_FAST_MS = 500;

export function startContainerProbes(options: ContainerProbesOptions): ContainerProbes {
  const { container, clock } = options;
  const probers: Prober[] = [];
  let isStopped = false;
  const start = (kind: ProbeKind, probe: Probe, onVerdict: (isGood: boolean) => void) => {
    probers.push(
      startProber({
        kind,
        probe,
        clock,
        honourDelay: options.honourDelay,
        // Its worker says when it is ready.
        ...(options.isProxy ? { fastMs: PROXY_FAST_MS } : {}),
        execute: (timeoutMs) => runProbe(probe, options.context, timeoutMs),
        onVerdict,
        onFailure: (message) => options.onFailure(kind, message),
      }),
    );
  };
  const onStarted = () => {
    if (isStopped) return;
    options.onStarted();
    const readiness = container.readinessProbe ?? (options.isProxy ? PROXY_READINESS : undefined);
    if (readiness === undefined) options.onReady(true);
    else start("readiness", readiness, options.onReady);
    if (container.livenessProbe !== undefined) {
      start("liveness", container.livenessProbe, (isGood) => {
        if (!isGood) options.onDead("liveness");
      });
    }
  };
  if (container.startupProbe === undefined) onStarted();
  else start("startup", container.startupProbe, (isGood) => (isGood ? onStarted() : options.onDead("startup")));
  return {
    hurry() {
      for (const prober of probers) prober.hurry();
    },
    stop() {
      isStopped = true;
      for (const prober of probers) prober.stop();
    },
  };
}
