/** EnvoyFilter; patch values stay Envoy's own JSON. Source: Istio reference, networking/envoy-filter. */
import type { LabelsSelector, PolicyTargetReference } from "./istio-shared.ts";
import type { KubeObject } from "./object.ts";

export type EnvoyFilterApplyTo =
  | "INVALID"
  | "LISTENER"
  | "FILTER_CHAIN"
  | "NETWORK_FILTER"
  | "HTTP_FILTER"
  | "ROUTE_CONFIGURATION"
  | "VIRTUAL_HOST"
  | "HTTP_ROUTE"
  | "CLUSTER"
  | "EXTENSION_CONFIG"
  | "BOOTSTRAP"
  | "LISTENER_FILTER";

export type PatchContext = "ANY" | "SIDECAR_INBOUND" | "SIDECAR_OUTBOUND" | "GATEWAY" | "WAYPOINT";

export type PatchOperation =
  | "INVALID"
  | "MERGE"
  | "ADD"
  | "REMOVE"
  | "INSERT_BEFORE"
  | "INSERT_AFTER"
  | "INSERT_FIRST"
  | "REPLACE"
  | "MERGE_AND_REPLACE_LIST";

export interface ListenerMatch {
  readonly portNumber?: number;
  readonly portName?: string;
  readonly name?: string;
  readonly listenerFilter?: string;
  readonly filterChain?: {
    readonly name?: string;
    readonly sni?: string;
    readonly transportProtocol?: string;
    readonly applicationProtocols?: string;
    readonly destinationPort?: number;
    readonly filter?: { readonly name?: string; readonly subFilter?: { readonly name?: string } };
  };
}

export interface RouteConfigurationMatch {
  readonly portNumber?: number;
  readonly portName?: string;
  readonly gateway?: string;
  readonly name?: string;
  readonly vhost?: {
    readonly name?: string;
    readonly domainName?: string;
    readonly route?: { readonly name?: string; readonly action?: "ANY" | "ROUTE" | "REDIRECT" | "DIRECT_RESPONSE" };
  };
}

export interface ClusterMatch {
  readonly portNumber?: number;
  readonly service?: string;
  readonly subset?: string;
  readonly name?: string;
}

export interface EnvoyConfigObjectPatch {
  readonly applyTo?: EnvoyFilterApplyTo;
  readonly match?: {
    readonly context?: PatchContext;
    readonly proxy?: { readonly proxyVersion?: string; readonly metadata?: Readonly<Record<string, string>> };
    readonly listener?: ListenerMatch;
    readonly routeConfiguration?: RouteConfigurationMatch;
    readonly cluster?: ClusterMatch;
  };
  readonly patch?: {
    readonly operation?: PatchOperation;
    readonly value?: Readonly<Record<string, unknown>>;
    readonly filterClass?: "UNSPECIFIED" | "AUTHN" | "AUTHZ" | "STATS";
  };
}

export interface EnvoyFilter extends KubeObject {
  readonly spec: {
    readonly workloadSelector?: LabelsSelector;
    readonly targetRefs?: readonly PolicyTargetReference[];
    readonly configPatches?: readonly EnvoyConfigObjectPatch[];
    readonly priority?: number;
  };
}
