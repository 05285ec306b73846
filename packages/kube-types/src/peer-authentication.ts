/** PeerAuthentication. Source: Istio reference, security/peer_authentication. */
import type { WorkloadSelector } from "./istio-shared.ts";
import type { KubeObject } from "./object.ts";

export type MutualTlsMode = "UNSET" | "DISABLE" | "PERMISSIVE" | "STRICT";

export interface PeerAuthentication extends KubeObject {
  readonly spec: {
    readonly selector?: WorkloadSelector;
    readonly mtls?: { readonly mode?: MutualTlsMode };
    /** Workload port (as text) to mode. */
    readonly portLevelMtls?: Readonly<Record<string, { readonly mode?: MutualTlsMode }>>;
  };
}
