/**
 * Containers that have been told to end: preStop, then SIGTERM, and SIGKILL when the grace period is over, which may become shorter meanwhile.
 * Source: Kubernetes, "Pod Lifecycle", termination of pods.
 */
import type { Clock, Timer } from "@argyle/core";
import type { Container } from "@argyle/kube-types";

export interface ContainerEndings {
  has(name: string): boolean;
  begin(container: Container, graceMs: number): void;
  /** Of what is ending; never later than it was. */
  shorten(graceMs: number): void;
  /** It has ended. */
  forget(name: string): void;
  stop(): void;
}

export interface ContainerEndingsDeps {
  readonly clock: Clock;
  readonly preStop: (container: Container, graceMs: number) => Promise<void>;
  readonly signal: (container: Container, name: "SIGTERM" | "SIGKILL") => void;
}

interface Ending {
  readonly container: Container;
  /** Epoch milliseconds. */
  readonly since: number;
  killAt: number;
  timer: Timer | undefined;
}

export function createContainerEndings({ clock, preStop, signal }: ContainerEndingsDeps): ContainerEndings {
  const endings = new Map<string, Ending>();

  const arm = (ending: Ending, killAt: number) => {
    ending.timer?.cancel();
    ending.killAt = killAt;
    const kill = () => signal(ending.container, "SIGKILL");
    ending.timer = clock.after(Math.max(0, killAt - clock.now()), kill, { unref: true });
  };

  return {
    has: (name) => endings.has(name),
    begin(container, graceMs) {
      const now = clock.now();
      const ending: Ending = { container, since: now, killAt: 0, timer: undefined };
      endings.set(container.name, ending);
      arm(ending, now + graceMs);
      void preStop(container, graceMs).then(() => {
        if (endings.get(container.name) === ending) signal(container, "SIGTERM");
      });
    },
    shorten(graceMs) {
      for (const ending of endings.values()) {
        if (ending.since + graceMs < ending.killAt) arm(ending, ending.since + graceMs);
      }
    },
    forget(name) {
      endings.get(name)?.timer?.cancel();
      endings.delete(name);
    },
    stop() {
      for (const { timer } of endings.values()) timer?.cancel();
    },
  };
}
