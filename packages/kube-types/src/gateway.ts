/** Istio's Gateway (networking.istio.io). Source: Istio reference, networking/gateway. */
import type { MeshPort, ServerTlsSettings } from "./istio-shared.ts";
import type { KubeObject } from "./object.ts";

export interface GatewayServer {
  readonly name?: string;
  readonly port: MeshPort;
  readonly bind?: string;
  /** `[namespace/]dnsName`, the name may start with a wildcard. */
  readonly hosts: readonly string[];
  readonly tls?: ServerTlsSettings;
  readonly defaultEndpoint?: string;
}

export interface Gateway extends KubeObject {
  readonly spec: {
    readonly servers?: readonly GatewayServer[];
    readonly selector?: Readonly<Record<string, string>>;
  };
}
