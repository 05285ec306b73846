/** What every stream of one HTTP connection manager shares. Made when a listener becomes active, never per request. */
import type { Clock } from "@argyle/core";
import type { Counter, Gauge, Histogram, StreamRecord } from "@argyle/telemetry";
import type { HcmConfig } from "../config/hcm-config.ts";
import type { HttpFilterConfig } from "../config/http-filter-config.ts";
import type { RouteTable } from "../config/route-config.ts";
import type { TimerWheel } from "../io/timer-wheel.ts";
import type { HttpTelemetry } from "../stats/http-telemetry.ts";
import type { Http2Stats } from "../stats/http2-stats.ts";
import type { JwtStats } from "../stats/jwt-stats.ts";
import type { RbacStats } from "../stats/rbac-stats.ts";
import type { Cluster } from "../upstream/cluster.ts";

/** The runtime snapshot as requests see it; swapped as a whole between two requests. */
export interface Snapshot {
  readonly clusters: ReadonlyMap<string, Cluster>;
  readonly routes: ReadonlyMap<string, RouteTable>;
}

export interface HttpContext {
  readonly config: HcmConfig;
  readonly snapshot: () => Snapshot;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  /** In [0, 1). */
  readonly random: () => number;
  readonly uuid: () => string;
  readonly randomHex: (bytes: number) => string;
  readonly bufferLimit: number;
  readonly stats: HcmStats;
  readonly writeLogs: (record: StreamRecord) => void;
  /** Without the router. */
  readonly filters: readonly HttpFilterConfig[];
  readonly jwt: ReadonlyMap<HttpFilterConfig, JwtStats>;
  /** Counters of the RBAC filters among them. */
  readonly rbac: ReadonlyMap<HttpFilterConfig, RbacStats>;
  readonly suppressEnvoyHeaders: boolean;
  /** Istio's metrics and peer metadata, where the listener has them. */
  readonly telemetry: HttpTelemetry | undefined;
  /** True once the listener drains: connections say `connection: close` with their next response. */
  readonly isDraining: () => boolean;
}

export interface HcmStats {
  readonly http2: Http2Stats;
  readonly cxHttp2Total: Counter;
  readonly cxHttp2Active: Gauge;
  readonly rqHttp2Total: Counter;
  readonly cxTotal: Counter;
  readonly cxActive: Gauge;
  readonly rqTotal: Counter;
  readonly rqActive: Gauge;
  readonly rqByClass: readonly (Counter | undefined)[];
  readonly listenerRqByClass: readonly (Counter | undefined)[];
  readonly rqTime: Histogram;
  readonly rqRxReset: Counter;
  readonly rqTimeout: Counter;
  readonly cxProtocolError: Counter;
}
