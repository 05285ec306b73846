/** Which Service gets a port of the host, and what to tell one that does not get it. Pure. */
import type { HostPort } from "./tables.ts";

/** The oldest claim wins, so that a new Service never takes a port away. */
export function winnerOf(claims: readonly HostPort[]): HostPort | undefined {
  return [...claims].sort((a, b) => compare(a.route.createdAt, b.route.createdAt) || compare(nameOf(a), nameOf(b)))[0];
}

export function refusalMessage(claim: HostPort, errno: string | undefined): string {
  const where = `127.0.0.1:${claim.port}`;
  const what = claim.kind === "NodePort" ? "node port" : "load balancer port";
  switch (errno) {
    case "EACCES":
      return (
        `${what} ${where} is not served: ports below 1024 need a permission that this process does not have. ` +
        `Use another port of the Service, or allow it: sudo sysctl net.ipv4.ip_unprivileged_port_start=${claim.port}`
      );
    case "EADDRINUSE":
      return (
        `${what} ${where} is not served: another program listens there. ` +
        `End it (find it with: ss -ltnp 'sport = :${claim.port}'), or change the Service's port; it is tried again by itself`
      );
    default:
      return `${what} ${where} is not served: ${errno ?? "unknown error"}; it is tried again by itself`;
  }
}

export function conflictMessage(claim: HostPort, winner: HostPort): string {
  return (
    `127.0.0.1:${claim.port} is not served for this Service: the older Service ${nameOf(winner)} has it. ` +
    "Change the port of one of them"
  );
}

export function nameOf({ route }: HostPort): string {
  return `${route.namespace}/${route.name}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
