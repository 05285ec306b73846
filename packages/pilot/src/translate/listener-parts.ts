/** Pieces that several kinds of listeners share: addresses, inspectors, ALPN sets. */
import type { EnvoyMessage } from "../model/json.ts";

/** What http_inspector finds in plain bytes. */
export const PLAINTEXT_HTTP_ALPN = ["http/1.1", "h2c"] as const;

export function socketAddress(address: string, port: number): EnvoyMessage {
  return { socket_address: { address, port_value: port } };
}

export function tlsInspector(): EnvoyMessage {
  return {
    name: "envoy.filters.listener.tls_inspector",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
    },
  };
}

export function httpInspector(): EnvoyMessage {
  return {
    name: "envoy.filters.listener.http_inspector",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.listener.http_inspector.v3.HttpInspector",
    },
  };
}

export function originalDestination(): EnvoyMessage {
  return {
    name: "envoy.filters.listener.original_dst",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst",
    },
  };
}
