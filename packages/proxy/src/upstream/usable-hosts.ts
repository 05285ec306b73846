/** Which hosts of a cluster a balancer may choose from. */
import type { Host } from "./host.ts";

/** The healthy hosts of the first priority that has any; below the panic threshold (percent) all hosts of the first priority. */
export function usableHosts(hosts: readonly Host[], panicThreshold: number): readonly Host[] {
  const present = hosts.filter((host) => host.health !== "DRAINING");
  const priorities = [...new Set(present.map((host) => host.priority))].sort((a, b) => a - b);
  for (const priority of priorities) {
    const group = present.filter((host) => host.priority === priority);
    const healthy = group.filter((host) => host.isHealthy);
    const isPanic = (healthy.length / group.length) * 100 < panicThreshold;
    if (healthy.length > 0 && (!isPanic || priorities.length > 1)) return healthy;
    if (isPanic && priorities.length === 1) return group;
  }
  const first = present.filter((host) => host.priority === priorities[0]);
  return panicThreshold > 0 ? first : [];
}
