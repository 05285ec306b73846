/**
 * TLS transport sockets and SDS secrets.
 * https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/transport_sockets/tls/v3/tls.proto
 */
import type { ConfigSourceSpecifier, StringMatcher, TypedExtensionConfig, XdsDataSource } from "./core.ts";

export interface DownstreamTlsContext {
  readonly common_tls_context?: CommonTlsContext;
  readonly require_client_certificate?: boolean;
  readonly require_sni?: boolean;
  readonly disable_stateless_session_resumption?: boolean;
  readonly session_timeout?: string;
}

export interface UpstreamTlsContext {
  readonly common_tls_context?: CommonTlsContext;
  readonly sni?: string;
  readonly auto_host_sni?: boolean;
  readonly allow_renegotiation?: boolean;
  readonly max_session_keys?: number;
}

export interface CommonTlsContext {
  readonly tls_params?: TlsParameters;
  readonly tls_certificates?: readonly TlsCertificate[];
  readonly tls_certificate_sds_secret_configs?: readonly SdsSecretConfig[];
  readonly validation_context?: CertificateValidationContext;
  readonly validation_context_sds_secret_config?: SdsSecretConfig;
  readonly combined_validation_context?: {
    readonly default_validation_context?: CertificateValidationContext;
    readonly validation_context_sds_secret_config?: SdsSecretConfig;
  };
  readonly alpn_protocols?: readonly string[];
  readonly custom_handshaker?: TypedExtensionConfig;
}

export type TlsProtocol = "TLS_AUTO" | "TLSv1_0" | "TLSv1_1" | "TLSv1_2" | "TLSv1_3";

export interface TlsParameters {
  readonly tls_minimum_protocol_version?: TlsProtocol;
  readonly tls_maximum_protocol_version?: TlsProtocol;
  readonly cipher_suites?: readonly string[];
  readonly ecdh_curves?: readonly string[];
}

export interface SdsSecretConfig {
  readonly name: string;
  readonly sds_config?: ConfigSourceSpecifier;
}

export interface TlsCertificate {
  readonly certificate_chain?: XdsDataSource;
  readonly private_key?: XdsDataSource;
  readonly password?: XdsDataSource;
}

export interface CertificateValidationContext {
  readonly trusted_ca?: XdsDataSource;
  readonly match_typed_subject_alt_names?: readonly SubjectAltNameMatcher[];
  /** Deprecated, still what Istio sends for SPIFFE identities of a cluster. */
  readonly match_subject_alt_names?: readonly StringMatcher[];
  readonly verify_certificate_spki?: readonly string[];
  readonly verify_certificate_hash?: readonly string[];
  readonly crl?: XdsDataSource;
  readonly trust_chain_verification?: "VERIFY_TRUST_CHAIN" | "ACCEPT_UNTRUSTED";
}

export interface SubjectAltNameMatcher {
  readonly san_type?: "SAN_TYPE_UNSPECIFIED" | "EMAIL" | "DNS" | "URI" | "IP_ADDRESS" | "OTHER_NAME";
  readonly matcher: StringMatcher;
}

/** https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/transport_sockets/tls/v3/secret.proto */
export interface Secret {
  readonly name: string;
  readonly tls_certificate?: TlsCertificate;
  readonly validation_context?: CertificateValidationContext;
  readonly generic_secret?: { readonly secret?: XdsDataSource };
}
