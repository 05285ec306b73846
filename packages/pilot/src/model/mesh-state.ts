/**
 * Everything that translation reads, at one moment. Immutable; a change makes a new state that shares what did not change.
 * `versions` counts the changes of each part: equal counts mean equal content.
 */
import type {
  AuthorizationPolicySpec,
  DestinationRuleSpec,
  Gateway,
  PeerAuthentication,
  RequestAuthentication,
  ServiceEntrySpec,
  SidecarSpec,
} from "@argyle/kube-types";
import type { Config } from "./config.ts";
import type { MeshEndpoint } from "./endpoint.ts";
import type { MeshConfig } from "./mesh-config.ts";
import type { MeshService } from "./service.ts";
import type { VirtualServiceConfig } from "./virtual-service.ts";
import type { Locality, Workload } from "./workload.ts";

export const PARTS = [
  "mesh",
  "services",
  "endpoints",
  "workloads",
  "virtualServices",
  "destinationRules",
  "gateways",
  "sidecars",
  "peerAuthentications",
  "authorizationPolicies",
  "requestAuthentications",
  "secrets",
] as const;

export type Part = (typeof PARTS)[number];

export interface TlsSecret {
  readonly namespace: string;
  readonly name: string;
  /** Base64, as in the Secret. */
  readonly certificate?: string;
  readonly key?: string;
  readonly caCertificate?: string;
}

export interface MeshState {
  readonly versions: Readonly<Record<Part, number>>;
  readonly mesh: MeshConfig;
  /** Sorted by hostname, then age. Aliases (ExternalName) are not in it. */
  readonly services: readonly MeshService[];
  /** Hostname of a service to the ExternalName hosts that mean it. */
  readonly aliases: ReadonlyMap<string, readonly string[]>;
  /** By service key. */
  readonly endpoints: ReadonlyMap<string, readonly MeshEndpoint[]>;
  readonly workloads: ReadonlyMap<string, Workload>;
  /** By node name. */
  readonly localities: ReadonlyMap<string, Locality>;
  /** Oldest first, resolved. */
  readonly virtualServices: readonly VirtualServiceConfig[];
  readonly destinationRules: readonly Config<DestinationRuleSpec>[];
  readonly gateways: readonly Config<Gateway["spec"]>[];
  readonly sidecars: readonly Config<SidecarSpec>[];
  readonly serviceEntries: readonly Config<ServiceEntrySpec>[];
  readonly peerAuthentications: readonly Config<PeerAuthentication["spec"]>[];
  readonly authorizationPolicies: readonly Config<AuthorizationPolicySpec>[];
  readonly requestAuthentications: readonly Config<RequestAuthentication["spec"]>[];
  /** Keys of token issuers, by jwksUri. */
  readonly jwks: ReadonlyMap<string, string>;
  readonly secrets: ReadonlyMap<string, TlsSecret>;
}
