/**
 * A cluster at run time: its hosts, which of them may be used, and the limits and statistics that all its requests share.
 * Endpoint updates keep the hosts that did not change, with their connections; removed ones drain.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/intro/arch_overview/upstream/load_balancing/overview
 */
import { isIP } from "node:net";
import { isDeepStrictEqual } from "node:util";
import { httpStatusOfGrpc, parseGrpcStatus, type ResponseHead } from "@argyle/codec";
import type { Clock } from "@argyle/core";
import type { Registry } from "@argyle/telemetry";
import type { ClusterConfig, EndpointConfig, Thresholds, TransportMatch } from "../config/cluster-config.ts";
import type { AlpnOffers } from "../config/http-filter-config.ts";
import type { TransportSocketConfig } from "../config/tls-config.ts";
import { type TimerOwner, type TimerWheel, WheelEntry } from "../io/timer-wheel.ts";
import type { SecretStore } from "../tls/secret-store.ts";
import { createUpstreamTls, type UpstreamTls } from "../tls/upstream-tls.ts";
import type { Balancer } from "./balancer/balancer.ts";
import { createBalancer } from "./balancer/create-balancer.ts";
import { type ClusterStats, createClusterStats } from "./cluster-stats.ts";
import type { Dialer } from "./dialer.ts";
import { Host } from "./host.ts";
import { Http2Pool } from "./http2-pool.ts";
import { createOutlierDetector, type OutlierDetector } from "./outlier.ts";
import { HttpPool } from "./pool.ts";
import type { ClusterUsage, RequestPool } from "./request-pool.ts";
import { usableHosts } from "./usable-hosts.ts";

export interface ClusterDeps {
  readonly clock: Clock;
  readonly registry: Registry;
  readonly wheel: TimerWheel;
  readonly dialer: Dialer;
  readonly secrets: SecretStore;
  /** In [0, 1). */
  readonly random: () => number;
  /** Addresses of a name, for STRICT_DNS. */
  readonly resolveName: (name: string) => Promise<readonly string[]>;
  readonly onDnsFailure: (cluster: string, name: string, error: unknown) => void;
  readonly onWarm: () => void;
}

export interface OriginalDestination {
  readonly ip: string;
  readonly port: number;
  /** The name asked for when it has no address in the pod network. */
  readonly authority: string | undefined;
}

export interface PickContext {
  readonly destination: OriginalDestination | undefined;
  readonly metadataMatch: Readonly<Record<string, unknown>> | undefined;
  /** What a hashing policy binds the request by; undefined: by nothing. */
  readonly hash: bigint | undefined;
  /** Hosts that were tried before, when the retry policy avoids them. */
  readonly avoid: readonly Host[] | undefined;
  readonly avoidAttempts: number;
}

/** Any host will do. */
export const ANY_HOST: PickContext = {
  destination: undefined,
  metadataMatch: undefined,
  hash: undefined,
  avoid: undefined,
  avoidAttempts: 0,
};

/** What decides on the connections that a request may share. */
export interface PoolWish {
  /** The request came by HTTP/2. */
  readonly isHttp2: boolean;
  /** What the HTTP connection manager wants to be offered instead of the transport socket's own. */
  readonly upstreamAlpn: AlpnOffers | undefined;
  /** The host that the request is for. */
  readonly upstreamAuthority: string;
}

const MAX_POOLS = 16;
const MAX_ORIGINAL_DST_HOSTS = 1024;

export class Cluster implements ClusterUsage, TimerOwner {
  readonly config: ClusterConfig;
  readonly version: string;
  readonly wheel: TimerWheel;
  readonly dialer: Dialer;
  readonly clock: Clock;
  connections = 0;
  pending = 0;
  activeRequests = 0;
  activeRetries = 0;
  hosts: readonly Host[] = [];
  /** EDS, DNS and secrets are there; until then the cluster is not used. */
  hasEndpoints: boolean;
  readonly #deps: ClusterDeps;
  readonly #outlier: OutlierDetector | undefined;
  readonly #tls = new Map<TransportSocketConfig, UpstreamTls>();
  readonly #subsets = new Map<string, Balancer<Host>>();
  readonly #originalDst = new Map<string, Host>();
  readonly #dnsTimer: WheelEntry;
  readonly #unresolved = new Set<string>();
  #balancer: Balancer<Host> = { pick: () => undefined };
  #isClosed = false;
  #stats: ClusterStats | undefined;

  constructor(config: ClusterConfig, version: string, deps: ClusterDeps) {
    this.config = config;
    this.version = version;
    this.#deps = deps;
    this.wheel = deps.wheel;
    this.dialer = deps.dialer;
    this.clock = deps.clock;
    this.#dnsTimer = new WheelEntry(this);
    this.hasEndpoints = config.type === "STATIC" || config.type === "ORIGINAL_DST";
    this.#outlier =
      config.outlier === undefined
        ? undefined
        : createOutlierDetector(
            config.outlier,
            () => this.stats,
            deps.wheel,
            () => this.hosts,
            deps.random,
            () => this.#rebuild(),
          );
    if (config.type === "STATIC") this.setEndpoints(config.endpoints?.endpoints ?? []);
    else if (config.type === "STRICT_DNS" || config.type === "LOGICAL_DNS") this.#resolve();
  }

  /** Made when something is counted or somebody reads the statistics: a sidecar knows the whole mesh and speaks to a few clusters of it. */
  get stats(): ClusterStats {
    if (this.#stats === undefined) {
      this.#stats = createClusterStats(this.#deps.registry, this.config.name);
      this.#countMembers();
    }
    return this.#stats;
  }

  get isReady(): boolean {
    const sockets = [this.config.transport, ...this.config.transportMatches.map((match) => match.transport)];
    return this.hasEndpoints && sockets.every((s) => s.kind === "raw" || this.#deps.secrets.isSettled(s.tls));
  }

  /** Requests are bound to hosts by hash. */
  get isHashing(): boolean {
    const { policy } = this.config.lb;
    return policy === "RING_HASH" || policy === "MAGLEV";
  }

  limits(isHighPriority: boolean): Thresholds {
    return isHighPriority ? this.config.highThresholds : this.config.thresholds;
  }

  setEndpoints(endpoints: readonly EndpointConfig[]): void {
    const known = new Map(this.hosts.map((host) => [host, host] as const));
    const byKey = new Map(this.hosts.map((host) => [Host.keyOf(host), host]));
    const hosts = endpoints.map((endpoint) => {
      const host = byKey.get(Host.keyOf(endpoint)) ?? new Host(endpoint);
      known.delete(host);
      return host;
    });
    for (const gone of known.values()) gone.drain();
    this.hosts = hosts;
    this.hasEndpoints = true;
    this.#rebuild();
  }

  pick(context: PickContext): Host | undefined {
    if (this.config.type === "ORIGINAL_DST") return this.#pickOriginal(context.destination);
    const balancer = context.metadataMatch === undefined ? this.#balancer : this.#subset(context.metadataMatch);
    let host = balancer.pick(context.hash);
    for (let i = 1; i <= context.avoidAttempts && host !== undefined && context.avoid?.includes(host); i++)
      host = balancer.pick(context.hash, i);
    if (host === undefined) this.stats.cxNoneHealthy.add(1);
    return host;
  }

  poolOf(host: Host, wish: PoolWish): RequestPool {
    const { protocol, keepsOwnAlpn, autoSni } = this.config;
    const isHttp2 = protocol === "http2" || (protocol === "downstream" && wish.isHttp2);
    const offers = keepsOwnAlpn ? undefined : wish.upstreamAlpn;
    const alpn = (isHttp2 ? offers?.http2 : offers?.http1) ?? (isHttp2 ? "http2" : "http1");
    const serverName = autoSni ? wish.upstreamAuthority.replace(/:\d+$/, "") : undefined;
    const key = serverName === undefined ? alpn : `${alpn} ${serverName}`;
    for (const known of host.pools) if (known.key === key) return known;
    // Clients choose these names: pools that nobody uses any more must not pile up.
    if (host.pools.length >= MAX_POOLS) host.forgetEmptyPools();
    const tls = this.tlsOf(host, serverName);
    const pool = isHttp2
      ? new Http2Pool(host, this, tls, key, offers?.http2)
      : new HttpPool(host, this, tls, key, offers?.http1);
    host.pools.push(pool);
    return pool;
  }

  /** The first transport_socket_matches entry whose labels the endpoint's envoy.transport_socket_match has, else transport_socket. */
  #socketOf(host: Host): TransportSocketConfig {
    const labels = (host.metadata["envoy.transport_socket_match"] ?? {}) as Readonly<Record<string, unknown>>;
    const matches = (candidate: TransportMatch) =>
      Object.entries(candidate.match).every(([key, value]) => isDeepStrictEqual(labels[key], value));
    return this.config.transportMatches.find(matches)?.transport ?? this.config.transport;
  }

  tlsOf(host: Host, serverName?: string): UpstreamTls | undefined {
    const socket = this.#socketOf(host);
    if (socket.kind === "raw") return undefined;
    if (serverName !== undefined && socket.tls.sni === "")
      return createUpstreamTls(socket.tls, this.#deps.secrets, { host: serverName, isChecked: this.config.autoSan });
    let tls = this.#tls.get(socket);
    if (tls === undefined) {
      tls = createUpstreamTls(socket.tls, this.#deps.secrets);
      this.#tls.set(socket, tls);
    }
    return tls;
  }

  onResult(host: Host, status: number): void {
    this.#outlier?.onResult(host, status);
  }

  /** A response without a body says its grpc-status with its head, and that is what counts then (Envoy's router, onUpstreamHeaders). */
  onResponse(host: Host, head: ResponseHead): void {
    const outlier = this.#outlier;
    if (outlier === undefined) return;
    const grpcStatus = parseGrpcStatus(head.headers.get("grpc-status"));
    outlier.onResult(host, grpcStatus === undefined ? head.status : httpStatusOfGrpc(grpcStatus));
  }

  onTimer(): void {
    this.#resolve();
  }

  close(): void {
    this.#isClosed = true;
    this.wheel.cancel(this.#dnsTimer);
    this.#outlier?.close();
    for (const host of [...this.hosts, ...this.#originalDst.values()]) host.drain();
  }

  #rebuild(): void {
    this.#subsets.clear();
    this.#balancer = this.#createBalancer(this.hosts);
    this.#countMembers();
  }

  #countMembers(): void {
    this.#stats?.membershipTotal.set(this.hosts.length);
    this.#stats?.membershipHealthy.set(this.hosts.filter((host) => host.isHealthy).length);
  }

  #createBalancer(hosts: readonly Host[]): Balancer<Host> {
    return createBalancer(this.config.lb, usableHosts(hosts, this.config.panicThreshold), this.#deps.random);
  }

  #labelled(match: Readonly<Record<string, unknown>>): readonly Host[] {
    return this.hosts.filter((host) => {
      const labels = (host.metadata["envoy.lb"] ?? {}) as Readonly<Record<string, unknown>>;
      return Object.keys(match).every((name) => isDeepStrictEqual(labels[name], match[name]));
    });
  }

  #subsetFallback(): Balancer<Host> {
    const { subsetFallback, defaultSubset } = this.config;
    switch (subsetFallback) {
      case "NO_FALLBACK":
        return this.#createBalancer([]);
      case "ANY_ENDPOINT":
        return this.#balancer;
      case "DEFAULT_SUBSET":
        return this.#createBalancer(this.#labelled(defaultSubset));
    }
  }

  #subset(match: Readonly<Record<string, unknown>>): Balancer<Host> {
    if (this.config.subsetSelectors.length === 0) return this.#balancer;
    const key = JSON.stringify(match);
    let balancer = this.#subsets.get(key);
    if (balancer === undefined) {
      const keys = Object.keys(match).sort();
      const isSelectable = this.config.subsetSelectors.some((selector) => isDeepStrictEqual(selector, keys));
      const hosts = this.#labelled(match);
      const isFound = isSelectable && hosts.length > 0;
      if (isFound) balancer = this.#createBalancer(hosts);
      else balancer = this.#subsetFallback();
      this.#subsets.set(key, balancer);
    }
    return balancer;
  }

  #pickOriginal(destination: OriginalDestination | undefined): Host | undefined {
    if (destination === undefined) return undefined;
    const port = this.config.originalDstPort === 0 ? destination.port : this.config.originalDstPort;
    const key = `${destination.authority ?? ""}|${destination.ip}:${port}`;
    let host = this.#originalDst.get(key);
    if (host === undefined) {
      if (this.#originalDst.size >= MAX_ORIGINAL_DST_HOSTS) this.#forgetIdle();
      const address = { kind: "ip", ip: destination.ip, port } as const;
      host = new Host(
        {
          address,
          hostname: "",
          weight: 1,
          priority: 0,
          locality: "",
          localityWeight: 1,
          health: "HEALTHY",
          metadata: {},
        },
        destination.authority,
      );
      this.#originalDst.set(key, host);
    }
    return host;
  }

  #forgetIdle(): void {
    for (const [key, host] of this.#originalDst) {
      if (host.active > 0) continue;
      host.drain();
      this.#originalDst.delete(key);
    }
  }

  /** A failure is told once, until the name is found again; meanwhile the statistics count. */
  async #lookUp(name: string): Promise<readonly string[] | undefined> {
    this.stats.updateAttempt.add(1);
    try {
      const found = await this.#deps.resolveName(name);
      this.stats.updateSuccess.add(1);
      this.#unresolved.delete(name);
      return found;
    } catch (error) {
      this.stats.updateFailure.add(1);
      if (!this.#unresolved.has(name)) this.#deps.onDnsFailure(this.config.name, name, error);
      this.#unresolved.add(name);
      return undefined;
    }
  }

  #resolve(): void {
    const endpoints = this.config.endpoints?.endpoints ?? [];
    const lookups = endpoints.map(async (endpoint): Promise<readonly EndpointConfig[]> => {
      const { address } = endpoint;
      if (address.kind !== "ip" || isIP(address.ip) !== 0) return [endpoint];
      const found = await this.#lookUp(address.ip);
      // A failed look-up keeps what was known.
      if (found === undefined)
        return this.hosts
          .filter((host) => host.hostname === address.ip)
          .map((host) => ({ ...host, localityWeight: 1 }));
      const chosen = this.config.type === "LOGICAL_DNS" ? found.slice(0, 1) : found;
      return chosen.map((ip) => ({ ...endpoint, hostname: address.ip, address: { ...address, ip } }));
    });
    Promise.all(lookups).then(
      (groups) => {
        if (this.#isClosed) return;
        const wasReady = this.hasEndpoints;
        this.setEndpoints(groups.flat());
        this.wheel.arm(this.#dnsTimer, this.config.dnsRefreshMs);
        if (!wasReady) this.#deps.onWarm();
      },
      (error: unknown) => {
        throw error;
      },
    );
  }
}
