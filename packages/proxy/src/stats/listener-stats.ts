/** Envoy's `listener.<address>.*` and `tcp.<prefix>.*` statistics. */
import type { Counter, Gauge, Registry } from "@argyle/telemetry";
import { formatAddress } from "../config/address.ts";
import type { ListenerConfig } from "../config/listener-config.ts";

export interface ListenerStats {
  readonly cxTotal: Counter;
  readonly cxActive: Gauge;
  readonly noFilterChain: Counter;
  readonly sslHandshake: Counter;
  readonly sslFailure: Counter;
  readonly preCxTimeout: Counter;
  readonly proxyProtocolError: Counter;
}

/** What a listener's statistics go by: its stat_prefix, else its address with `_` for `:`. */
export function listenerStatName(config: Pick<ListenerConfig, "name" | "statPrefix" | "addresses">): string {
  const [first] = config.addresses;
  const text = config.statPrefix !== "" ? config.statPrefix : first === undefined ? config.name : formatAddress(first);
  return text.replaceAll(":", "_");
}

export function createListenerStats(registry: Registry, name: string): ListenerStats {
  const options = (stat: string) => ({
    name: `envoy_listener_${stat.replaceAll(".", "_")}`,
    labels: ["envoy_listener_address"],
    statName: ([value]: readonly string[]) => `listener.${value}.${stat}`,
  });
  return {
    cxTotal: registry.counter(options("downstream_cx_total")).cell(name),
    cxActive: registry.gauge(options("downstream_cx_active")).cell(name),
    noFilterChain: registry.counter(options("no_filter_chain_match")).cell(name),
    sslHandshake: registry.counter(options("ssl.handshake")).cell(name),
    sslFailure: registry.counter(options("ssl.connection_error")).cell(name),
    proxyProtocolError: registry.counter(options("downstream_cx_proxy_proto_error")).cell(name),
    preCxTimeout: registry.counter(options("downstream_pre_cx_timeout")).cell(name),
  };
}

export interface TcpStats {
  readonly cxTotal: Counter;
  readonly rxBytes: Counter;
  readonly txBytes: Counter;
}

export function createTcpStats(registry: Registry, prefix: string): TcpStats {
  const options = (stat: string) => ({
    name: `envoy_tcp_${stat}`,
    labels: ["envoy_tcp_prefix"],
    statName: ([value]: readonly string[]) => `tcp.${value}.${stat}`,
  });
  return {
    cxTotal: registry.counter(options("downstream_cx_total")).cell(prefix),
    rxBytes: registry.counter(options("downstream_cx_rx_bytes_total")).cell(prefix),
    txBytes: registry.counter(options("downstream_cx_tx_bytes_total")).cell(prefix),
  };
}
