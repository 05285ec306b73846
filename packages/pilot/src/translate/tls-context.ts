/**
 * TLS contexts as istiod writes them: the workload's own certificate and the mesh root by SDS from the local agent, gateway certificates by
 * SDS from istiod over ADS. https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/transport_sockets/tls/v3/tls.proto
 */
import type { ClientTlsSettings, ServerTlsSettings } from "@argyle/kube-types";
import type { EnvoyMessage } from "../model/json.ts";

const TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";

/** ALPN of mesh-internal mTLS: a client with a sidecar, told apart from an application's own TLS. */
export const ISTIO_MTLS_ALPN = ["istio-peer-exchange", "istio"] as const;
export const ISTIO_MTLS_H2_ALPN = ["istio-peer-exchange", "istio", "h2"] as const;

const TLS_PARAMS: EnvoyMessage = {
  tls_minimum_protocol_version: "TLSv1_2",
  tls_maximum_protocol_version: "TLSv1_3",
};

/** The agent of the proxy serves these two: `default` (own certificate) and `ROOTCA`. */
export function agentSecret(name: "default" | "ROOTCA"): EnvoyMessage {
  return {
    name,
    sds_config: {
      api_config_source: {
        api_type: "GRPC",
        grpc_services: [{ envoy_grpc: { cluster_name: "sds-grpc" } }],
        set_node_on_first_message_only: true,
        transport_api_version: "V3",
      },
      initial_fetch_timeout: "0s",
      resource_api_version: "V3",
    },
  };
}

export const ADS_CONFIG_SOURCE: EnvoyMessage = {
  ads: {},
  initial_fetch_timeout: "0s",
  resource_api_version: "V3",
};

export function rawBufferSocket(): EnvoyMessage {
  return {
    name: "envoy.transport_sockets.raw_buffer",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer",
    },
  };
}

export function istioMtlsUpstream(options: {
  readonly sni: string;
  readonly alpn: readonly string[];
  readonly subjectAltNames: readonly string[];
}): EnvoyMessage {
  return upstreamSocket({
    common_tls_context: {
      tls_params: TLS_PARAMS,
      alpn_protocols: options.alpn,
      tls_certificate_sds_secret_configs: [agentSecret("default")],
      combined_validation_context: {
        default_validation_context: sanMatchers(options.subjectAltNames),
        validation_context_sds_secret_config: agentSecret("ROOTCA"),
      },
    },
    sni: options.sni,
  });
}

/** DestinationRule tls SIMPLE and MUTUAL: TLS that the proxy originates towards something outside the mesh. */
export function originatedTls(
  tls: ClientTlsSettings,
  options: { readonly isHttp2: boolean; readonly readsSecrets: boolean; readonly defaultSans: readonly string[] },
): EnvoyMessage {
  const sans = tls.subjectAltNames ?? options.defaultSans;
  const certificates: EnvoyMessage =
    tls.mode !== "MUTUAL"
      ? {}
      : tls.credentialName !== undefined && options.readsSecrets
        ? { tls_certificate_sds_secret_configs: [gatewaySecret(tls.credentialName)] }
        : { tls_certificate_sds_secret_configs: [certificateFiles(tls.clientCertificate, tls.privateKey)] };
  const trust: EnvoyMessage =
    tls.insecureSkipVerify === true
      ? {}
      : tls.credentialName !== undefined && options.readsSecrets
        ? {
            combined_validation_context: {
              default_validation_context: sanMatchers(sans),
              validation_context_sds_secret_config: gatewaySecret(`${tls.credentialName}-cacert`),
            },
          }
        : tls.caCertificates !== undefined && tls.caCertificates !== "system"
          ? {
              combined_validation_context: {
                default_validation_context: sanMatchers(sans),
                validation_context_sds_secret_config: rootFile(tls.caCertificates),
              },
            }
          : { validation_context: { ...sanMatchers(sans), trusted_ca: { filename: SYSTEM_CA_FILE } } };
  return upstreamSocket({
    common_tls_context: {
      tls_params: TLS_PARAMS,
      alpn_protocols: options.isHttp2 ? ["h2"] : undefined,
      ...certificates,
      ...trust,
    },
    sni: tls.sni,
  });
}

/** The inbound side of mesh mTLS. `alpn` is offered to the peer, which must be of one of the trust domains. */
export function istioMtlsDownstream(alpn: readonly string[], trustDomains: readonly string[]): EnvoyMessage {
  return downstreamSocket({
    common_tls_context: {
      tls_params: TLS_PARAMS,
      alpn_protocols: alpn,
      tls_certificate_sds_secret_configs: [agentSecret("default")],
      combined_validation_context: {
        default_validation_context: {
          match_typed_subject_alt_names: trustDomains.map((domain) => ({
            san_type: "URI",
            matcher: { prefix: `spiffe://${domain}/` },
          })),
        },
        validation_context_sds_secret_config: agentSecret("ROOTCA"),
      },
    },
    require_client_certificate: true,
  });
}

/** The TLS of a Gateway server or of a Sidecar's ingress listener. Undefined: the bytes are passed on as they are. */
export function serverTls(
  tls: ServerTlsSettings,
  options: { readonly isHttp: boolean; readonly trustDomains: readonly string[] },
): EnvoyMessage | undefined {
  const mode = tls.mode ?? "SIMPLE";
  if (mode === "PASSTHROUGH" || mode === "AUTO_PASSTHROUGH") return undefined;
  const alpn = options.isHttp ? ["h2", "http/1.1"] : undefined;
  if (mode === "ISTIO_MUTUAL") {
    return istioMtlsDownstream(alpn ?? ["istio-peer-exchange", "istio"], options.trustDomains);
  }
  const isMutual = mode === "MUTUAL" || mode === "OPTIONAL_MUTUAL";
  const isSds = tls.credentialName !== undefined;
  const certificates: EnvoyMessage = isSds
    ? { tls_certificate_sds_secret_configs: [gatewaySecret(tls.credentialName ?? "")] }
    : { tls_certificate_sds_secret_configs: [certificateFiles(tls.serverCertificate, tls.privateKey)] };
  const trust: EnvoyMessage = !isMutual
    ? {}
    : {
        combined_validation_context: {
          default_validation_context: {
            ...sanMatchers(tls.subjectAltNames ?? []),
            verify_certificate_spki: nonEmpty(tls.verifyCertificateSpki),
            verify_certificate_hash: nonEmpty(tls.verifyCertificateHash),
          },
          validation_context_sds_secret_config: isSds
            ? gatewaySecret(`${tls.caCertCredentialName ?? tls.credentialName ?? ""}-cacert`)
            : rootFile(tls.caCertificates),
        },
      };
  return downstreamSocket({
    common_tls_context: {
      tls_params: {
        tls_minimum_protocol_version: envoyTlsVersion(tls.minProtocolVersion) ?? "TLSv1_2",
        tls_maximum_protocol_version: envoyTlsVersion(tls.maxProtocolVersion) ?? "TLSv1_3",
        cipher_suites: tls.cipherSuites,
      },
      alpn_protocols: alpn,
      ...certificates,
      ...trust,
    },
    require_client_certificate: mode === "MUTUAL",
  });
}

/** Gateways read Secrets beside them; a sidecar those of a rule that selects its workload, else its rule's files. */
export function canReadSecrets(
  type: "sidecar" | "router",
  rule: { readonly hasWorkloadSelector: boolean } | undefined,
): boolean {
  return type === "router" || rule?.hasWorkloadSelector === true;
}

/** Certificates that istiod reads from a Secret of the gateway's namespace. */
export function gatewaySecret(credentialName: string): EnvoyMessage {
  const name = credentialName.includes("://") ? credentialName : `kubernetes://${credentialName}`;
  return { name, sds_config: { ads: {}, resource_api_version: "V3" } };
}

const SYSTEM_CA_FILE = "/etc/ssl/certs/ca-certificates.crt";

/** Files of the proxy's own container, which its agent reads and follows. */
function certificateFiles(certificate: string | undefined, key: string | undefined): EnvoyMessage {
  return { ...agentSecret("default"), name: `file-cert:${certificate ?? ""}~${key ?? ""}` };
}

function rootFile(path: string | undefined): EnvoyMessage {
  return { ...agentSecret("default"), name: `file-root:${path ?? ""}` };
}

function nonEmpty(list: readonly string[] | undefined): readonly string[] | undefined {
  return list === undefined || list.length === 0 ? undefined : list;
}

function sanMatchers(names: readonly string[]): EnvoyMessage {
  if (names.length === 0) return {};
  return {
    match_typed_subject_alt_names: names.flatMap((name) =>
      name.includes("://")
        ? [{ san_type: "URI", matcher: { exact: name } }]
        : [{ san_type: "DNS", matcher: { exact: name } }],
    ),
  };
}

function envoyTlsVersion(version: string | undefined): string | undefined {
  if (version === undefined || version === "TLS_AUTO") return undefined;
  return version.replace(/^TLSV/, "TLSv");
}

function upstreamSocket(context: EnvoyMessage): EnvoyMessage {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: { "@type": `${TLS}.UpstreamTlsContext`, ...context },
  };
}

function downstreamSocket(context: EnvoyMessage): EnvoyMessage {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: { "@type": `${TLS}.DownstreamTlsContext`, ...context },
  };
}
