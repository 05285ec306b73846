/** Makes the shared context of one HTTP connection manager or TCP proxy from its configuration: statistics cells, logs, telemetry. */
import type { StreamRecord } from "@argyle/telemetry";
import type { AccessLogConfig } from "./config/access-log-config.ts";
import type { HcmConfig } from "./config/hcm-config.ts";
import type { HttpFilterConfig } from "./config/http-filter-config.ts";
import type { FilterChainConfig, ListenerConfig } from "./config/listener-config.ts";
import type { TcpProxyConfig } from "./config/tcp-proxy-config.ts";
import type { HttpContext } from "./http/http-context.ts";
import { createRandomHex } from "./http/random-hex.ts";
import type { ProxyDeps } from "./proxy-deps.ts";
import type { Runtime } from "./runtime.ts";
import { createHcmStats } from "./stats/hcm-stats.ts";
import type { IstioTelemetry } from "./stats/istio-telemetry.ts";
import { createJwtStats } from "./stats/jwt-stats.ts";
import { createTcpStats, listenerStatName } from "./stats/listener-stats.ts";
import { createRbacStats } from "./stats/rbac-stats.ts";
import type { TcpContext } from "./tcp-proxy.ts";

/** Filters that do something to every request; the others are settings. */
const RUNNING: ReadonlySet<HttpFilterConfig["kind"]> = new Set(["fault", "cors", "jwt", "rbac"]);

export function createHttpContext(
  config: HcmConfig,
  listener: ListenerConfig,
  deps: ProxyDeps,
  runtime: Runtime,
  istio: IstioTelemetry,
  isDraining: () => boolean,
): HttpContext {
  const router = config.filters.find((filter) => filter.kind === "router");
  return {
    config,
    snapshot: runtime.snapshot,
    clock: deps.clock,
    wheel: deps.wheel,
    random: deps.random,
    uuid: deps.uuid,
    randomHex: createRandomHex(),
    bufferLimit: listener.bufferLimit,
    stats: createHcmStats(deps.registry, config.statPrefix, listenerStatName(listener)),
    writeLogs: createLogWriter([...config.accessLogs], deps),
    filters: config.filters.filter(({ kind }) => RUNNING.has(kind)),
    jwt: new Map(
      config.filters.flatMap((filter) =>
        filter.kind === "jwt" ? [[filter, createJwtStats(deps.registry, config.statPrefix)] as const] : [],
      ),
    ),
    rbac: new Map(
      config.filters.flatMap((filter) => {
        if (filter.kind !== "rbac") return [];
        const { rulesStatPrefix: rules, shadowStatPrefix: shadow } = filter.config;
        const names = { scope: "http", prefix: config.statPrefix, rules, shadow } as const;
        return [[filter, createRbacStats(deps.registry, names)] as const];
      }),
    ),
    suppressEnvoyHeaders: router?.kind === "router" && router.suppressEnvoyHeaders,
    telemetry: istio.forHttp(config, listener.direction),
    isDraining,
  };
}

export function createTcpContext(
  config: TcpProxyConfig,
  chain: FilterChainConfig,
  listener: ListenerConfig,
  deps: ProxyDeps,
  runtime: Runtime,
  istio: IstioTelemetry,
): TcpContext {
  return {
    config,
    snapshot: runtime.snapshot,
    clock: deps.clock,
    wheel: deps.wheel,
    random: deps.random,
    stats: createTcpStats(deps.registry, config.statPrefix),
    writeLogs: createLogWriter(config.accessLogs, deps),
    telemetry: chain.hasIstioStats ? istio.forTcp(listener.direction) : undefined,
    exchange: istio.exchange,
    exchangesDownstream: chain.exchangesMetadata,
  };
}

export function createLogWriter(
  logs: readonly AccessLogConfig[],
  deps: Pick<ProxyDeps, "writeAccessLog">,
): (record: StreamRecord) => void {
  if (logs.length === 0) return () => undefined;
  return (record) => {
    for (const log of logs) if (log.accepts(record)) deps.writeAccessLog(log.path, log.format(record));
  };
}
