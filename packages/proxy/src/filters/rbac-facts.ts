/** What RBAC decides by, read off a stream or a connection. */
import type { StreamState } from "../http/stream-state.ts";
import type { RbacFacts } from "./rbac-matcher.ts";

export function rbacFacts(state: StreamState, layer: "http" | "tcp"): RbacFacts {
  const { downstream } = state;
  const { destination, remoteIp, serverName, tls } = downstream;
  return {
    destinationIp: destination.ip,
    destinationPort: destination.port,
    directRemoteIp: remoteIp,
    remoteIp: state.remoteAddress === undefined ? remoteIp : withoutPort(state.remoteAddress),
    serverName,
    peer: tls?.peer,
    request: layer === "http" ? state : undefined,
    metadata: (filter) => state.dynamicMetadata(filter, []),
  };
}

function withoutPort(address: string): string {
  return address.slice(0, address.lastIndexOf(":")).replace(/^\[|\]$/g, "");
}
