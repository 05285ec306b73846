/** /clusters: every host of every cluster with its counters, as text or JSON. */
import type { Address } from "../config/address.ts";
import type { Cluster } from "../upstream/cluster.ts";
import type { Host } from "../upstream/host.ts";

export function clustersText(clusters: Iterable<Cluster>): string {
  let text = "";
  for (const { config, hosts } of clusters) {
    const { name } = config;
    text += `${name}::observability_name::${name}\n`;
    for (const [priority, limits] of [
      ["default", config.thresholds],
      ["high", config.highThresholds],
    ] as const) {
      text += `${name}::${priority}_priority::max_connections::${limits.maxConnections}\n`;
      text += `${name}::${priority}_priority::max_pending_requests::${limits.maxPendingRequests}\n`;
      text += `${name}::${priority}_priority::max_requests::${limits.maxRequests}\n`;
      text += `${name}::${priority}_priority::max_retries::${limits.maxRetries}\n`;
    }
    text += `${name}::added_via_api::true\n`;
    for (const host of hosts) {
      for (const [stat, value] of hostStats(host)) text += `${name}::${host.name}::${stat}::${value}\n`;
      text += `${name}::${host.name}::hostname::${host.hostname}\n`;
      text += `${name}::${host.name}::health_flags::${healthFlags(host)}\n`;
      text += `${name}::${host.name}::weight::${host.weight}\n`;
      text += `${name}::${host.name}::region::${host.locality.split("/")[0] ?? ""}\n`;
      text += `${name}::${host.name}::priority::${host.priority}\n`;
      text += `${name}::${host.name}::success_rate::-1\n`;
    }
  }
  return text;
}

export function clustersJson(clusters: Iterable<Cluster>): object {
  return {
    cluster_statuses: [...clusters].map(({ config, hosts }) => ({
      name: config.name,
      added_via_api: true,
      observability_name: config.name,
      ...(config.type === "EDS" ? { eds_service_name: config.edsName } : {}),
      circuit_breakers: {
        thresholds: [config.thresholds, config.highThresholds].map((limits, index) => ({
          ...(index === 1 ? { priority: "HIGH" } : {}),
          max_connections: limits.maxConnections,
          max_pending_requests: limits.maxPendingRequests,
          max_requests: limits.maxRequests,
          max_retries: limits.maxRetries,
        })),
      },
      host_statuses: hosts.map((host) => ({
        address: addressJson(host.address),
        stats: hostStats(host).map(([name, value]) => ({
          name,
          value: String(value),
          ...(name.endsWith("_active") ? { type: "GAUGE" } : {}),
        })),
        health_status: {
          eds_health_status: host.health === "HEALTHY" ? "HEALTHY" : host.health,
          ...(host.isEjected ? { failed_outlier_check: true } : {}),
        },
        weight: host.weight,
        ...(host.hostname === "" ? {} : { hostname: host.hostname }),
      })),
    })),
  };
}

function hostStats(host: Host): readonly (readonly [string, number])[] {
  return [
    ["cx_active", host.cxActive],
    ["cx_connect_fail", host.cxConnectFail],
    ["cx_total", host.cxTotal],
    ["rq_active", host.active],
    ["rq_error", host.rqError],
    ["rq_success", host.rqSuccess],
    ["rq_timeout", 0],
    ["rq_total", host.rqTotal],
  ];
}

function healthFlags(host: Host): string {
  const flags = [
    host.isEjected ? "/failed_outlier_check" : "",
    host.health === "UNHEALTHY" ? "/failed_eds_health" : "",
  ].join("");
  return flags === "" ? "healthy" : flags;
}

export function addressJson(address: Address): object {
  switch (address.kind) {
    case "ip":
      return { socket_address: { address: address.ip, port_value: address.port } };
    case "pipe":
      return { pipe: { path: address.path } };
    case "internal":
      return { envoy_internal_address: { server_listener_name: address.listener } };
  }
}
