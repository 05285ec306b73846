/**
 * The filter chains of one inbound port, by declared protocol and mTLS mode.
 *
 * | mode       | declared HTTP            | declared TCP                        | sniffed                                         |
 * | STRICT     | tls                      | tls                                 | tls + istio HTTP ALPN, tls                      |
 * | PERMISSIVE | tls + istio ALPN, plain  | tls + istio ALPN, tls as it is, plain | both of each, plain HTTP by http_inspector    |
 * | DISABLE    | any                      | any                                 | plain HTTP, any                                 |
 *
 * An application's own TLS carries no Istio ALPN: that is how PERMISSIVE tells it from a sidecar's.
 * https://istio.io/latest/docs/concepts/security/#permissive-mode
 */
import type { EnvoyMessage } from "../model/json.ts";
import type { EffectiveMtls } from "../model/peer-authentication.ts";
import { isHttp, type Protocol } from "../model/protocol.ts";
import { PLAINTEXT_HTTP_ALPN } from "./listener-parts.ts";
import { istioMtlsDownstream } from "./tls-context.ts";

const MTLS_HTTP_ALPN = ["istio-http/1.0", "istio-http/1.1", "istio-h2"] as const;
const MTLS_TCP_ALPN = ["istio-peer-exchange", "istio"] as const;
/** Whatever a sidecar of the mesh offers. */
export const ANY_MTLS_ALPN = ["istio", "istio-peer-exchange", ...MTLS_HTTP_ALPN] as const;

/** What the listener offers to an mTLS client. */
const HTTP_OFFER = ["h2", "http/1.1"] as const;
const TCP_OFFER = ["istio-peer-exchange", "h2", "http/1.1"] as const;

export interface ChainVariant {
  readonly kind: "http" | "tcp";
  readonly match: EnvoyMessage;
  readonly transportSocket: EnvoyMessage | undefined;
}

export function chainVariants(
  protocol: Protocol,
  mode: EffectiveMtls,
  trustDomains: readonly string[],
): readonly ChainVariant[] {
  const kind = isHttp(protocol) ? "http" : protocol === "Auto" ? "auto" : "tcp";
  return VARIANTS[mode][kind].map((variant) => ({
    kind: variant.kind,
    match: variant.match,
    transportSocket: variant.offer === undefined ? undefined : istioMtlsDownstream(variant.offer, trustDomains),
  }));
}

interface Variant {
  readonly kind: "http" | "tcp";
  readonly match: EnvoyMessage;
  /** The ALPN offer of mTLS; undefined: plain. */
  readonly offer: readonly string[] | undefined;
}

const RAW = { transport_protocol: "raw_buffer" };
const RAW_HTTP = { transport_protocol: "raw_buffer", application_protocols: PLAINTEXT_HTTP_ALPN };
const OPAQUE_TLS = { transport_protocol: "tls" };

// Envoy does not go back: once raw_buffer has been chosen, a chain without transport_protocol is out. So all chains of a port name it or none does.
const VARIANTS: Readonly<Record<EffectiveMtls, Readonly<Record<"http" | "tcp" | "auto", readonly Variant[]>>>> = {
  STRICT: {
    http: [mtls("http")],
    tcp: [mtls("tcp")],
    auto: [mtls("http", MTLS_HTTP_ALPN), mtls("tcp")],
  },
  PERMISSIVE: {
    http: [mtls("http", ANY_MTLS_ALPN), plain("http", RAW)],
    tcp: [mtls("tcp", ANY_MTLS_ALPN), plain("tcp", OPAQUE_TLS), plain("tcp", RAW)],
    auto: [
      mtls("http", MTLS_HTTP_ALPN),
      plain("http", RAW_HTTP),
      mtls("tcp", MTLS_TCP_ALPN),
      plain("tcp", RAW),
      plain("tcp", OPAQUE_TLS),
    ],
  },
  DISABLE: {
    http: [plain("http", {})],
    tcp: [plain("tcp", {})],
    auto: [plain("http", RAW_HTTP), plain("tcp", RAW), plain("tcp", OPAQUE_TLS)],
  },
};

function mtls(kind: "http" | "tcp", alpn?: readonly string[]): Variant {
  return {
    kind,
    match: { transport_protocol: "tls", application_protocols: alpn },
    offer: kind === "http" ? HTTP_OFFER : TCP_OFFER,
  };
}

function plain(kind: "http" | "tcp", match: EnvoyMessage): Variant {
  return { kind, match, offer: undefined };
}
