/**
 * Passive health: a host that fails several times in a row is ejected for base_ejection_time × its number of ejections.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/intro/arch_overview/upstream/outlier
 */
import type { OutlierConfig } from "../config/cluster-config.ts";
import { type TimerOwner, type TimerWheel, WheelEntry } from "../io/timer-wheel.ts";
import type { ClusterStats } from "./cluster-stats.ts";
import type { Host } from "./host.ts";

export interface OutlierDetector {
  /** `status` of a response, or 503 for a connection that failed locally (Envoy's default mapping). */
  onResult(host: Host, status: number): void;
  close(): void;
}

export function createOutlierDetector(
  config: OutlierConfig,
  stats: () => ClusterStats,
  wheel: TimerWheel,
  hosts: () => readonly Host[],
  random: () => number,
  onChange: () => void,
): OutlierDetector {
  const timers = new Set<WheelEntry>();
  const eject = (host: Host, enforcing: number) => {
    const all = hosts();
    const ejected = all.filter((other) => other.isEjected).length;
    // At least one host may always be ejected, whatever the percentage says.
    const isAllowed = ejected === 0 || ((ejected + 1) / all.length) * 100 <= config.maxEjectionPercent;
    if (host.isEjected || !isAllowed || config.maxEjectionPercent === 0 || random() * 100 >= enforcing) return;
    host.isEjected = true;
    host.ejections += 1;
    stats().ejectionsEnforced.add(1);
    stats().ejectionsActive.add(1);
    onChange();
    const owner: TimerOwner = {
      onTimer(entry) {
        timers.delete(entry);
        host.isEjected = false;
        host.consecutive5xx = 0;
        host.consecutiveGateway = 0;
        stats().ejectionsActive.add(-1);
        onChange();
      },
    };
    const entry = new WheelEntry(owner);
    timers.add(entry);
    wheel.arm(
      entry,
      Math.min(config.baseEjectionMs * host.ejections, Math.max(config.maxEjectionMs, config.baseEjectionMs)),
    );
  };
  return {
    onResult(host, status) {
      if (status < 500) {
        host.consecutive5xx = 0;
        host.consecutiveGateway = 0;
        return;
      }
      host.consecutive5xx += 1;
      host.consecutiveGateway = status >= 502 && status <= 504 ? host.consecutiveGateway + 1 : 0;
      if (config.consecutiveGateway > 0 && host.consecutiveGateway >= config.consecutiveGateway) {
        host.consecutiveGateway = 0;
        eject(host, config.enforcingGateway);
      }
      if (config.consecutive5xx > 0 && host.consecutive5xx >= config.consecutive5xx) {
        host.consecutive5xx = 0;
        if (!host.isEjected) stats().ejections5xx.add(1);
        eject(host, config.enforcing5xx);
      }
    },
    close() {
      for (const entry of timers) wheel.cancel(entry);
    },
  };
}
