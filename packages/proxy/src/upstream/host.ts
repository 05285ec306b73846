/** One upstream host: its address, weight, health and pool. Hosts survive endpoint updates that do not change them, with their connections. */
import { type Address, formatAddress } from "../config/address.ts";
import type { EndpointConfig } from "../config/cluster-config.ts";
import type { Balanced } from "./balancer/balancer.ts";
import type { RequestPool } from "./request-pool.ts";

export class Host implements Balanced {
  readonly address: Address;
  /** `10.244.0.5:80`, as logs and /clusters show it. */
  readonly name: string;
  readonly hashKey: string;
  readonly hostname: string;
  readonly weight: number;
  readonly priority: number;
  readonly locality: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly health: EndpointConfig["health"];
  /** Requests or TCP connections in progress. */
  active = 0;
  /** One for each protocol and ALPN offer that is made to it; as a rule there is one. */
  readonly pools: RequestPool[] = [];
  isEjected = false;
  ejections = 0;
  consecutive5xx = 0;
  consecutiveGateway = 0;
  rqTotal = 0;
  rqSuccess = 0;
  rqError = 0;
  cxTotal = 0;
  cxActive = 0;
  cxConnectFail = 0;
  /** The name a program asked for, for hosts made from an original destination without an address. */
  readonly authority: string | undefined;
  /** Istio workload of the endpoint, parsed once by the telemetry. */
  workload: unknown;

  constructor(config: EndpointConfig, authority?: string) {
    this.address = config.address;
    this.name = formatAddress(config.address);
    const lb = config.metadata["envoy.lb"] as { readonly hash_key?: unknown } | undefined;
    this.hashKey = typeof lb?.hash_key === "string" ? lb.hash_key : this.name;
    this.hostname = config.hostname;
    this.weight = config.weight;
    this.priority = config.priority;
    this.locality = config.locality;
    this.metadata = config.metadata;
    this.health = config.health;
    this.authority = authority;
  }

  drain(): void {
    for (const pool of this.pools) pool.drain();
  }

  forgetEmptyPools(): void {
    for (let i = this.pools.length - 1; i >= 0; i--) if (this.pools[i]?.isEmpty === true) this.pools.splice(i, 1);
  }

  get isHealthy(): boolean {
    return this.health === "HEALTHY" && !this.isEjected;
  }

  /** A change of any of these makes another host. */
  static keyOf(config: Omit<EndpointConfig, "localityWeight">): string {
    return JSON.stringify([
      formatAddress(config.address),
      config.weight,
      config.priority,
      config.health,
      config.hostname,
      config.metadata,
    ]);
  }
}
