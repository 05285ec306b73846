/**
 * Transport sockets, as configuration: DownstreamTlsContext, UpstreamTlsContext and what they refer to by SDS name.
 * Nothing here holds a key: secrets come through the secret store and become a cached SecureContext per version (tls.ts).
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/api-v3/extensions/transport_sockets/tls/v3/tls.proto
 */
import type { Fields } from "./fields.ts";
import { compileSecret, type SecretConfig } from "./secret-config.ts";
import { compileStringMatcher, type TextPredicate } from "./string-matcher.ts";

/** A secret written in place, or the name of one that SDS delivers. */
export type SecretRef =
  | { readonly kind: "sds"; readonly name: string }
  | { readonly kind: "inline"; readonly secret: SecretConfig };

export interface TlsConfig {
  readonly certificate: SecretRef | undefined;
  readonly validation: SecretRef | undefined;
  readonly sanMatchers: readonly SanMatcher[];
  /** SHA-256 of the peer's certificate, hex; of its public key, base64. Both empty: any. */
  readonly certificateHashes: readonly string[];
  readonly keyHashes: readonly string[];
  readonly alpn: readonly string[];
  readonly sni: string;
  readonly requiresClientCertificate: boolean;
  readonly minVersion: "TLSv1.2" | "TLSv1.3" | undefined;
  readonly maxVersion: "TLSv1.2" | "TLSv1.3" | undefined;
  readonly ciphers: string | undefined;
}

export interface SanMatcher {
  readonly type: "URI" | "DNS" | "EMAIL" | "IP_ADDRESS" | "ANY";
  readonly test: TextPredicate;
}

export type TransportSocketConfig = { readonly kind: "raw" } | { readonly kind: "tls"; readonly tls: TlsConfig };

const RAW: TransportSocketConfig = { kind: "raw" };

export function compileTransportSocket(fields: Fields | undefined): TransportSocketConfig {
  if (fields === undefined) return RAW;
  const config = fields.object("typed_config");
  if (config === undefined) return RAW;
  switch (config.typeName()) {
    case "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer":
      return RAW;
    case "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext":
    case "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext":
      return { kind: "tls", tls: compileTls(config) };
    default:
      config.problem("", `unsupported transport socket ${config.typeName()}`);
      return RAW;
  }
}

const VERSIONS = ["TLS_AUTO", "TLSv1_0", "TLSv1_1", "TLSv1_2", "TLSv1_3"] as const;
const NODE_VERSION = {
  TLS_AUTO: undefined,
  TLSv1_0: "TLSv1.2",
  TLSv1_1: "TLSv1.2",
  TLSv1_2: "TLSv1.2",
  TLSv1_3: "TLSv1.3",
} as const;

function compileTls(fields: Fields): TlsConfig {
  const shared = fields.object("common_tls_context");
  const parameters = shared?.object("tls_params");
  const combined = shared?.object("combined_validation_context");
  const plain = shared?.object("validation_context") ?? combined?.object("default_validation_context");
  return {
    certificate: certificateRef(shared),
    validation: validationRef(shared, combined, plain),
    sanMatchers: plain === undefined ? [] : compileSanMatchers(plain),
    certificateHashes: (plain?.strings("verify_certificate_hash") ?? []).map((hash) =>
      hash.replaceAll(":", "").toLowerCase(),
    ),
    keyHashes: plain?.strings("verify_certificate_spki") ?? [],
    alpn: shared?.strings("alpn_protocols") ?? [],
    sni: fields.string("sni"),
    requiresClientCertificate: fields.boolean("require_client_certificate"),
    minVersion:
      NODE_VERSION[parameters?.enumeration("tls_minimum_protocol_version", VERSIONS, "TLS_AUTO") ?? "TLS_AUTO"],
    maxVersion:
      NODE_VERSION[parameters?.enumeration("tls_maximum_protocol_version", VERSIONS, "TLS_AUTO") ?? "TLS_AUTO"],
    ciphers: parameters?.has("cipher_suites") === true ? parameters.strings("cipher_suites").join(":") : undefined,
  };
}

function certificateRef(shared: Fields | undefined): SecretRef | undefined {
  const sds = shared?.list("tls_certificate_sds_secret_configs")[0];
  if (sds !== undefined) return { kind: "sds", name: sds.required("name") };
  const inline = shared?.list("tls_certificates")[0];
  if (inline === undefined) return undefined;
  return { kind: "inline", secret: compileSecret(inline, "certificate") };
}

function validationRef(
  shared: Fields | undefined,
  combined: Fields | undefined,
  plain: Fields | undefined,
): SecretRef | undefined {
  const sds =
    combined?.object("validation_context_sds_secret_config") ?? shared?.object("validation_context_sds_secret_config");
  if (sds !== undefined) return { kind: "sds", name: sds.required("name") };
  return plain?.has("trusted_ca") === true ? { kind: "inline", secret: compileSecret(plain, "validation") } : undefined;
}

const SAN_TYPES = ["SAN_TYPE_UNSPECIFIED", "EMAIL", "DNS", "URI", "IP_ADDRESS", "OTHER_NAME"] as const;

export function compileSanMatchers(fields: Fields): readonly SanMatcher[] {
  const typed = fields.list("match_typed_subject_alt_names").map((item): SanMatcher => {
    const type = item.enumeration("san_type", SAN_TYPES, "SAN_TYPE_UNSPECIFIED");
    const matcher = item.object("matcher");
    const test = matcher === undefined ? () => false : compileStringMatcher(matcher);
    if (type === "SAN_TYPE_UNSPECIFIED" || type === "OTHER_NAME") {
      item.problem("san_type", "must be EMAIL, DNS, URI or IP_ADDRESS");
      return { type: "ANY", test: () => false };
    }
    return { type, test };
  });
  const legacy = fields
    .list("match_subject_alt_names")
    .map((item): SanMatcher => ({ type: "ANY", test: compileStringMatcher(item) }));
  return [...typed, ...legacy];
}
