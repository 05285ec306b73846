/** What is known about an accepted connection once its filter chain is chosen and its handshake is done. */
import type { PeerIdentity } from "../tls/downstream-tls.ts";
import type { OriginalDestination } from "../upstream/cluster.ts";

export interface DownstreamFacts {
  readonly id: number;
  /** What the client connected to, `ip:port` (the original destination). */
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly remoteIp: string;
  readonly destination: OriginalDestination;
  readonly serverName: string;
  readonly tls: DownstreamTlsFacts | undefined;
}

export interface DownstreamTlsFacts {
  readonly peer: PeerIdentity | undefined;
  readonly localPrincipal: string | undefined;
  readonly alpn: string | undefined;
  readonly version: string;
  readonly cipher: string;
}
