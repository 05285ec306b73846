/**
 * The seam between translation (which resources exist for a proxy) and serving (who gets what when).
 * The source answers from memory, synchronously; the ADS server asks again after a change and sends what differs.
 * Invariant: the source returns the same object (===) for a name while its content is unchanged, so that a resource shared by
 * many proxies is encoded once, and "unchanged" costs one map lookup.
 */

/** Who is asking: Istio's node id and metadata, parsed. */
export interface ProxyNode {
  /** `sidecar~10.244.0.5~front-end-7d.sock-shop~sock-shop.svc.cluster.local` */
  readonly id: string;
  readonly type: "sidecar" | "router";
  readonly ip: string;
  /** Pod name. */
  readonly name: string;
  readonly namespace: string;
  readonly cluster: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly locality: { readonly region?: string; readonly zone?: string; readonly sub_zone?: string };
  readonly userAgent: string;
  readonly istioVersion: string;
  /** Filters beyond vanilla Envoy that this proxy announces (metadata ARGYLE_FILTERS): `istio.stats`, `istio.alpn` … */
  readonly filters: ReadonlySet<string>;
  /** The authenticated identity of the stream, absent on the plaintext port. */
  readonly identity?: { readonly namespace: string; readonly serviceAccount: string };
}

export type ResourceNames = "*" | ReadonlySet<string>;

export interface ConfigChange {
  readonly typeUrls: ReadonlySet<string>;
  affects(node: ProxyNode): boolean;
}

export interface ConfigSource {
  /** The resources of one type for one proxy, by name. Names that do not exist are left out. */
  resources(node: ProxyNode, typeUrl: string, names: ResourceNames): ReadonlyMap<string, object>;
  /** Tells of changes until the returned function is called. */
  subscribe(listener: (change: ConfigChange) => void): () => void;
}
