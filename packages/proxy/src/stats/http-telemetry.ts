/** What Istio's stats and peer_metadata filters do to a stream; made once per HTTP connection manager that has them. */
import type { HeaderBlock } from "@argyle/codec";
import type { HttpStream } from "../http/stream.ts";
import type { Host } from "../upstream/host.ts";

export interface HttpTelemetry {
  /** Learns who calls from the request's headers, and takes them off. */
  onRequest(stream: HttpStream): void;
  /** Says who we are to the peer's sidecar, or removes what an app must not see. */
  onUpstreamRequest(stream: HttpStream): void;
  onResponse(stream: HttpStream, headers: HeaderBlock, host: Host | undefined): void;
  onComplete(stream: HttpStream): void;
}
