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
const ANY_MTLS_ALPN = ["istio", "istio-peer-exchange", ...MTLS_HTTP_ALPN] as const;

/** What the listener offers to an mTLS client. */
const HTTP_OFFER = ["h2", "http/1.1"] as const;
const TCP_OFFER = ["istio-peer-exchange", "h2", "http/1.1"] as const;

export interface ChainVariant {
  readonly kind: "http" | "tcp";
  readonly match: EnvoyMessage;
  readonly transportSocket: EnvoyMessage | undefined;
  /** TLS that belongs to the application: passed on unopened. */
  readonly isOpaqueTls: boolean;
}

export function chainVariants(protocol: Protocol, mode: EffectiveMtls): readonly ChainVariant[] {
  const kind = isHttp(protocol) ? "http" : protocol === "Auto" ? "auto" : "tcp";
  const mtls = (variant: "http" | "tcp", alpn?: readonly string[]): ChainVariant => ({
    kind: variant,
    match: { transport_protocol: "tls", application_protocols: alpn },
    transportSocket: istioMtlsDownstream(variant === "http" ? HTTP_OFFER : TCP_OFFER),
    isOpaqueTls: false,
  });
  const plain = (variant: "http" | "tcp", match: EnvoyMessage): ChainVariant => ({
    kind: variant,
    match,
    transportSocket: undefined,
    isOpaqueTls: match.transport_protocol === "tls",
  });
  const rawBuffer = { transport_protocol: "raw_buffer" };
  const rawHttp = { transport_protocol: "raw_buffer", application_protocols: PLAINTEXT_HTTP_ALPN };
  switch (mode) {
    case "STRICT":
      return kind === "auto" ? [mtls("http", MTLS_HTTP_ALPN), mtls("tcp")] : [mtls(kind)];
    case "PERMISSIVE":
      switch (kind) {
        case "http":
          return [mtls("http", ANY_MTLS_ALPN), plain("http", rawBuffer)];
        case "tcp":
          return [mtls("tcp", ANY_MTLS_ALPN), plain("tcp", { transport_protocol: "tls" }), plain("tcp", rawBuffer)];
        case "auto":
          return [
            mtls("http", MTLS_HTTP_ALPN),
            plain("http", rawHttp),
            mtls("tcp", MTLS_TCP_ALPN),
            plain("tcp", rawBuffer),
            plain("tcp", { transport_protocol: "tls" }),
          ];
      }
      break;
    case "DISABLE":
      // Envoy does not go back: once raw_buffer has been chosen, a chain without transport_protocol is out.
      return kind === "auto"
        ? [plain("http", rawHttp), plain("tcp", rawBuffer), plain("tcp", { transport_protocol: "tls" })]
        : [plain(kind, {})];
  }
  throw new Error(`no chains for mode ${String(mode)}`);
}
