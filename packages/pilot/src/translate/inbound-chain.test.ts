/** Every offer that a client's proxy makes meets the chain that understands it, whatever the port declares. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Protocol } from "../model/protocol.ts";
import { type ChainVariant, chainVariants } from "./inbound-chain.ts";

const HTTP_OFFER = ["istio-http/1.1", "istio", "http/1.1"];
const TCP_OFFER = ["istio-peer-exchange", "istio"];
const FOREIGN_OFFER = ["h2", "http/1.1"];

interface Arrival {
  readonly transport: "tls" | "raw_buffer";
  readonly protocols: readonly string[];
}
const ARRIVALS: Readonly<Record<string, Arrival>> = {
  "sidecar HTTP": { transport: "tls", protocols: HTTP_OFFER },
  "sidecar TCP": { transport: "tls", protocols: TCP_OFFER },
  "the program's own TLS": { transport: "tls", protocols: FOREIGN_OFFER },
  "plain HTTP": { transport: "raw_buffer", protocols: ["http/1.1"] },
  "plain bytes": { transport: "raw_buffer", protocols: [] },
};

const EXPECTED: readonly (readonly [Protocol, "STRICT" | "PERMISSIVE" | "DISABLE", readonly string[]])[] = [
  // [protocol, mode, chain for each arrival above]
  ["HTTP", "STRICT", ["http mtls", "http mtls", "http mtls", "none", "none"]],
  ["TCP", "STRICT", ["tcp mtls", "tcp mtls", "tcp mtls", "none", "none"]],
  ["Auto", "STRICT", ["http mtls", "tcp mtls", "tcp mtls", "none", "none"]],
  ["HTTP", "PERMISSIVE", ["http mtls", "http mtls", "none", "http plain", "http plain"]],
  ["TCP", "PERMISSIVE", ["tcp mtls", "tcp mtls", "tcp plain", "tcp plain", "tcp plain"]],
  ["Auto", "PERMISSIVE", ["http mtls", "tcp mtls", "tcp plain", "http plain", "tcp plain"]],
  ["HTTP", "DISABLE", ["http plain", "http plain", "http plain", "http plain", "http plain"]],
  ["Auto", "DISABLE", ["tcp plain", "tcp plain", "tcp plain", "http plain", "tcp plain"]],
];

for (const [protocol, mode, chains] of EXPECTED) {
  test(`${mode} ${protocol}`, () => {
    const found = Object.entries(ARRIVALS).map(
      ([name, arrival]) => `${name}: ${choose(chainVariants(protocol, mode, ["cluster.local"]), arrival)}`,
    );
    assert.deepEqual(
      found,
      Object.keys(ARRIVALS).map((name, index) => `${name}: ${chains[index]}`),
    );
  });
}

/** Envoy narrows by transport protocol first, then by the earliest offered application protocol that a chain names. */
function choose(variants: readonly ChainVariant[], { transport, protocols }: Arrival): string {
  const named = variants.filter((v) => v.match.transport_protocol === transport);
  const byTransport = named.length > 0 ? named : variants.filter((v) => v.match.transport_protocol === undefined);
  const rank = (v: ChainVariant) => {
    const wanted = v.match.application_protocols as readonly string[] | undefined;
    return wanted === undefined ? protocols.length : protocols.findIndex((name) => wanted.includes(name));
  };
  const [best] = byTransport.filter((v) => rank(v) !== -1).sort((a, b) => rank(a) - rank(b));
  return best === undefined ? "none" : `${best.kind} ${best.transportSocket === undefined ? "plain" : "mtls"}`;
}
