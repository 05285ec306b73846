/**
 * Outbound listeners of sidecars. They are not bound: virtualOutbound (15001) hands a connection to the one whose address is its
 * original destination.
 *  - HTTP ports: one `0.0.0.0_<port>` for all services, routes by RDS `<port>`;
 *  - TCP and TLS ports: `<VIP>_<port>`, or on `0.0.0.0` (SNI or CIDR matches) for services without a virtual IP;
 *  - sniffed ports: `<VIP>_<port>` with an HTTP chain (RDS `host:port`) and a TCP chain.
 * Conflict on one address: HTTP and TCP of different services share `0.0.0.0_<port>` by detection; the oldest claim wins elsewhere.
 */
import type { EnvoyMessage } from "../model/json.ts";
import { isHttp } from "../model/protocol.ts";
import type { MeshPort, MeshService } from "../model/service.ts";
import type { TranslateContext } from "./context.ts";
import { httpConnectionManager } from "./http-connection-manager.ts";
import { httpInspector, PLAINTEXT_HTTP_ALPN, socketAddress, tlsInspector } from "./listener-parts.ts";
import { wildcardAddress } from "./names.ts";
import { outboundTcpChains } from "./outbound-tcp.ts";
import { unclaimedCluster } from "./route.ts";
import { tcpFilters, toCluster } from "./tcp-proxy.ts";
import { listenerAccessLog } from "./telemetry.ts";

/** What is gathered for one address before the listener is made: the same for every proxy of a scope. */
export interface ListenerDraft {
  readonly address: string;
  readonly port: number;
  /** RDS name; undefined: no HTTP is spoken here. */
  httpRoute: string | undefined;
  readonly tcpChains: EnvoyMessage[];
  /** Where anything else goes; undefined: to where unclaimed traffic goes. */
  defaultChain: EnvoyMessage | undefined;
}

export function outboundDrafts(context: TranslateContext): readonly ListenerDraft[] {
  const drafts = new Map<string, ListenerDraft>();
  const draftAt = (address: string, port: number): ListenerDraft => {
    const key = `${address}_${port}`;
    let draft = drafts.get(key);
    if (draft === undefined) {
      draft = { address, port, httpRoute: undefined, tcpChains: [], defaultChain: undefined };
      drafts.set(key, draft);
    }
    return draft;
  };
  const byAge = [...context.scope.services].sort((a, b) => a.createdAt - b.createdAt);
  for (const service of byAge) {
    for (const port of service.ports) {
      if (port.protocol === "UDP" || port.port === 15001 || port.port === 15006) continue;
      if (isHttp(port.protocol)) draftAt("0.0.0.0", port.port).httpRoute ??= String(port.port);
      else claimTcp(context, service, port, draftAt);
    }
  }
  return [...drafts.values()];
}

/** Spans name the proxy that made them, so a listener with an HTTP chain is one proxy's own; those of bytes alone are the whole scope's. */
export function isOwnListener(draft: ListenerDraft): boolean {
  return draft.httpRoute !== undefined;
}

export function outboundListener(context: TranslateContext, draft: ListenerDraft): EnvoyMessage {
  const { address, port, httpRoute, tcpChains } = draft;
  const isWildcard = address === "0.0.0.0";
  const httpChain =
    httpRoute === undefined
      ? []
      : [
          {
            filter_chain_match: { transport_protocol: "raw_buffer", application_protocols: PLAINTEXT_HTTP_ALPN },
            filters: [
              httpConnectionManager({
                context,
                traffic: "SIDECAR_OUTBOUND",
                statPrefix: `outbound_${address}_${port}`,
                routes: { rds: httpRoute },
              }),
            ],
          },
        ];
  const chains = [...httpChain, ...tcpChains];
  const needsFallback = httpRoute !== undefined || isWildcard;
  const fallback = draft.defaultChain ?? (needsFallback ? passthroughChain(context) : undefined);
  const isDefaultOnly = chains.length === 0 && fallback !== undefined;
  const needsTls = httpRoute !== undefined || tcpChains.some(hasServerNames);
  return {
    name: isWildcard ? wildcardAddress(port) : `${address}_${port}`,
    address: socketAddress(address, port),
    filter_chains: isDefaultOnly ? [fallback] : chains,
    default_filter_chain: isDefaultOnly ? undefined : fallback,
    listener_filters: [...(needsTls ? [tlsInspector()] : []), ...(httpRoute === undefined ? [] : [httpInspector()])],
    listener_filters_timeout: needsTls ? context.state.mesh.protocolDetectionTimeout : undefined,
    continue_on_listener_filters_timeout: needsTls ? true : undefined,
    traffic_direction: "OUTBOUND",
    bind_to_port: false,
    access_log: listenerAccessLog(context.state.mesh),
  };
}

function claimTcp(
  context: TranslateContext,
  service: MeshService,
  port: MeshPort,
  draftAt: (address: string, port: number) => ListenerDraft,
): void {
  const isSniffed = port.protocol === "Auto";
  const addresses = listenAddresses(context, service);
  for (const address of addresses) {
    const draft = draftAt(address, port.port);
    const isWildcard = address === "0.0.0.0";
    const chains = outboundTcpChains(context, service, port, isWildcard);
    if (isSniffed) draft.httpRoute ??= isWildcard ? String(port.port) : `${service.hostname}:${port.port}`;
    for (const chain of chains) {
      const match = chain.filter_chain_match;
      if (match === undefined) draft.defaultChain ??= chain;
      else if (!draft.tcpChains.some((held) => JSON.stringify(held.filter_chain_match) === JSON.stringify(match)))
        draft.tcpChains.push(chain);
    }
  }
}

/** Virtual IPs; for a headless service its endpoints' own addresses; else the wildcard. */
function listenAddresses(context: TranslateContext, service: MeshService): readonly string[] {
  const plain = service.addresses.filter((address) => !address.includes("/"));
  if (plain.length > 0 && plain.length === service.addresses.length) return plain;
  if (service.registry === "Kubernetes" && service.resolution === "Passthrough" && service.addresses.length === 0) {
    const endpoints = context.state.endpoints.get(service.key) ?? [];
    const own = new Set(endpoints.filter(({ isReady }) => isReady).map(({ address }) => address));
    return own.size === 0 ? [] : [...own];
  }
  return ["0.0.0.0"];
}

function passthroughChain(context: TranslateContext): EnvoyMessage {
  const cluster = unclaimedCluster(context);
  return {
    name: "PassthroughFilterChain",
    filters: tcpFilters({
      context,
      traffic: "SIDECAR_OUTBOUND",
      statPrefix: cluster,
      clusters: toCluster(cluster),
    }),
  };
}

function hasServerNames(chain: EnvoyMessage): boolean {
  const match = chain.filter_chain_match;
  return typeof match === "object" && match !== null && "server_names" in match && match.server_names !== undefined;
}
