/**
 * Where xDS resources enter a proxy: the seam between the ADS client (src/agent/) and the runtime.
 * Resources are proto3-JSON objects of Envoy's documentation (snake_case names, `@type` in typed_config).
 * The good resources of a response are applied even when others of it are rejected, as Envoy does; the rejected ones are the NACK.
 */
export interface RejectedResource {
  readonly name: string;
  readonly message: string;
}

export interface ResourceUpsert {
  readonly name: string;
  readonly version: string;
  readonly resource: object;
}

export interface ResourceSink {
  /** `typeUrl` is the full one, `type.googleapis.com/envoy.config.cluster.v3.Cluster`. An empty result is an ACK. */
  apply(typeUrl: string, upserts: readonly ResourceUpsert[], removals: readonly string[]): readonly RejectedResource[];
  /** Names to subscribe to: `*` for listeners and clusters; routes, endpoints and secrets follow from those. */
  wanted(typeUrl: string): "*" | ReadonlySet<string>;
  onWantedChange(listener: (typeUrl: string) => void): void;
}

export const TYPE_URL = {
  listener: "type.googleapis.com/envoy.config.listener.v3.Listener",
  cluster: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
  route: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
  endpoint: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
  secret: "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
} as const;
