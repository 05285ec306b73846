/** Sidecar. Source: Istio reference, networking/sidecar. */
import type { ConnectionPoolSettings } from "./destination-rule.ts";
import type { Destination, LabelsSelector, ServerTlsSettings } from "./istio-shared.ts";
import type { KubeObject } from "./object.ts";

export interface SidecarPort {
  readonly number?: number;
  readonly protocol?: string;
  readonly name?: string;
  readonly targetPort?: number;
}

export interface IstioIngressListener {
  readonly port: SidecarPort;
  readonly bind?: string;
  readonly captureMode?: "DEFAULT" | "IPTABLES" | "NONE";
  readonly defaultEndpoint?: string;
  readonly tls?: ServerTlsSettings;
  readonly connectionPool?: ConnectionPoolSettings;
}

export interface IstioEgressListener {
  readonly port?: SidecarPort;
  readonly bind?: string;
  readonly captureMode?: "DEFAULT" | "IPTABLES" | "NONE";
  /** `namespace/dnsName`. */
  readonly hosts: readonly string[];
}

export interface SidecarSpec {
  readonly workloadSelector?: LabelsSelector;
  readonly ingress?: readonly IstioIngressListener[];
  readonly egress?: readonly IstioEgressListener[];
  readonly inboundConnectionPool?: ConnectionPoolSettings;
  readonly outboundTrafficPolicy?: {
    readonly mode?: "REGISTRY_ONLY" | "ALLOW_ANY";
    readonly egressProxy?: Destination;
  };
}

export interface Sidecar extends KubeObject {
  readonly spec: SidecarSpec;
}
