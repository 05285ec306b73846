/**
 * Picks the filter chain of a connection. Envoy narrows the chains criterion by criterion, in this order, and never goes back: destination
 * port, destination address, server name, transport protocol, application protocols, direct source address, source type, source address, source port.
 * At each step the chains that name the connection's value most exactly remain; chains that say nothing remain only when none does.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/api-v3/config/listener/v3/listener_components.proto#config-listener-v3-filterchainmatch
 */
import { type CidrRange, compileCidr } from "./address.ts";
import type { Fields } from "./fields.ts";

export interface FilterChainMatch {
  readonly destinationPort: number | undefined;
  readonly destinations: readonly CidrRange[];
  readonly serverNames: readonly string[];
  readonly transportProtocol: string;
  readonly applicationProtocols: readonly string[];
  readonly directSources: readonly CidrRange[];
  readonly sourceType: "ANY" | "SAME_IP_OR_LOOPBACK" | "EXTERNAL";
  readonly sources: readonly CidrRange[];
  readonly sourcePorts: readonly number[];
}

export interface ConnectionFacts {
  readonly destinationIp: string;
  readonly destinationPort: number;
  readonly sourceIp: string;
  readonly sourcePort: number;
  readonly serverName: string;
  readonly transportProtocol: "tls" | "raw_buffer";
  readonly applicationProtocols: readonly string[];
}

export function compileFilterChainMatch(fields: Fields | undefined): FilterChainMatch {
  return {
    destinationPort: fields?.number("destination_port"),
    destinations: fields?.list("prefix_ranges").map(compileCidr) ?? [],
    serverNames: fields?.strings("server_names").map((name) => name.toLowerCase()) ?? [],
    transportProtocol: fields?.string("transport_protocol") ?? "",
    applicationProtocols: fields?.strings("application_protocols") ?? [],
    directSources: fields?.list("direct_source_prefix_ranges").map(compileCidr) ?? [],
    sourceType: fields?.enumeration("source_type", ["ANY", "SAME_IP_OR_LOOPBACK", "EXTERNAL"], "ANY") ?? "ANY",
    sources: fields?.list("source_prefix_ranges").map(compileCidr) ?? [],
    sourcePorts: fields?.numbers("source_ports") ?? [],
  };
}

export function findFilterChain<C extends { readonly match: FilterChainMatch }>(
  chains: readonly C[],
  facts: ConnectionFacts,
): C | undefined {
  let left = chains;
  for (const rank of RANKS) {
    let best = 0;
    const kept: C[] = [];
    for (const chain of left) {
      const value = rank(chain.match, facts);
      if (value === NO_MATCH || value < best) continue;
      if (value > best) {
        best = value;
        kept.length = 0;
      }
      kept.push(chain);
    }
    left = kept;
    if (left.length === 0) return undefined;
  }
  return left[0];
}

const NO_MATCH = -1;

/** Higher is more exact; 0 means that the chain says nothing about it. */
const RANKS: readonly ((match: FilterChainMatch, facts: ConnectionFacts) => number)[] = [
  (m, f) => (m.destinationPort === undefined ? 0 : m.destinationPort === f.destinationPort ? 1 : NO_MATCH),
  (m, f) => rankRange(m.destinations, f.destinationIp),
  (m, f) => rankServerName(m.serverNames, f.serverName.toLowerCase()),
  (m, f) => (m.transportProtocol === "" ? 0 : m.transportProtocol === f.transportProtocol ? 1 : NO_MATCH),
  (m, f) => rankProtocols(m.applicationProtocols, f.applicationProtocols),
  (m, f) => rankRange(m.directSources, f.sourceIp),
  (m, f) => {
    const isLocal = f.sourceIp === f.destinationIp || f.sourceIp.startsWith("127.") || f.sourceIp === "::1";
    if (m.sourceType === "ANY") return 0;
    return (m.sourceType === "SAME_IP_OR_LOOPBACK") === isLocal ? 1 : NO_MATCH;
  },
  (m, f) => rankRange(m.sources, f.sourceIp),
  (m, f) => (m.sourcePorts.length === 0 ? 0 : m.sourcePorts.includes(f.sourcePort) ? 1 : NO_MATCH),
];

function rankRange(ranges: readonly CidrRange[], ip: string): number {
  if (ranges.length === 0) return 0;
  let best = NO_MATCH;
  for (const range of ranges) if (range.contains(ip)) best = Math.max(best, range.prefixLength + 1);
  return best;
}

function rankServerName(names: readonly string[], wanted: string): number {
  if (names.length === 0) return 0;
  let best = NO_MATCH;
  for (const name of names) {
    if (name === wanted) return 1000;
    if (name.startsWith("*.") && wanted.endsWith(name.slice(1))) best = Math.max(best, name.length);
    else if (name === "*") best = Math.max(best, 1);
  }
  return best;
}

/** Envoy tries the protocols of the connection in its order. */
function rankProtocols(names: readonly string[], offered: readonly string[]): number {
  if (names.length === 0) return 0;
  const index = offered.findIndex((protocol) => names.includes(protocol));
  return index === -1 ? NO_MATCH : offered.length - index;
}
