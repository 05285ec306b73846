/**
 * The envelopes of ADS, decoded: what the sessions read and write. Resources stay bytes until someone decodes them.
 * https://www.envoyproxy.io/docs/envoy/latest/api-v3/service/discovery/v3/discovery.proto
 */
import type { Node } from "./core.ts";

/** google.rpc.Status: why a response was refused. */
export interface Status {
  readonly code: number;
  readonly message: string;
}

/** google.protobuf.Any, packed. */
export interface PackedResource {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

export interface DiscoveryRequest {
  readonly typeUrl: string;
  readonly versionInfo: string;
  readonly resourceNames: readonly string[];
  readonly responseNonce: string;
  readonly node?: Node;
  readonly errorDetail?: Status;
}

export interface DiscoveryResponse {
  readonly typeUrl: string;
  readonly versionInfo: string;
  readonly nonce: string;
  readonly resources: readonly PackedResource[];
}

export interface DeltaDiscoveryRequest {
  readonly typeUrl: string;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** Only in the first request of a type on a stream: what the client holds already. */
  readonly initialResourceVersions: ReadonlyMap<string, string>;
  readonly responseNonce: string;
  readonly node?: Node;
  readonly errorDetail?: Status;
}

export interface DeltaResource {
  readonly name: string;
  readonly version: string;
  readonly resource: PackedResource;
}

export interface DeltaDiscoveryResponse {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly resources: readonly DeltaResource[];
  readonly removedResources: readonly string[];
  readonly systemVersionInfo: string;
}
