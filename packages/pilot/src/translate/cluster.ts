/**
 * CDS: one cluster per service, port and subset, plus Istio's fixed ones. Outbound clusters depend on the scope alone, so proxies with
 * equal scopes share them; inbound clusters are the proxy's own.
 */
import type { ClientTlsSettings, Subset } from "@argyle/kube-types";
import { effectivePolicy } from "../model/destination-rule.ts";
import type { EnvoyMessage } from "../model/json.ts";
import { trustDomainsOf } from "../model/mesh-config.ts";
import type { MeshPort, MeshService } from "../model/service.ts";
import {
  circuitBreakers,
  connectionOptions,
  httpProtocolOptions,
  loadBalancer,
  outboundHttp,
  outlierDetection,
} from "./cluster-policy.ts";
import type { TranslateContext } from "./context.ts";
import { endpointsFor, type ServiceEndpointRequest, staticAssignment } from "./endpoint.ts";
import { BLACKHOLE_CLUSTER, clusterName, PASSTHROUGH_CLUSTER, sniOfCluster } from "./names.ts";
import { metadataExchangeFilters } from "./telemetry.ts";
import {
  ADS_CONFIG_SOURCE,
  canReadSecrets,
  ISTIO_MTLS_ALPN,
  ISTIO_MTLS_H2_ALPN,
  istioMtlsUpstream,
  originatedTls,
  rawBufferSocket,
} from "./tls-context.ts";

export function outboundClusters(context: TranslateContext): readonly EnvoyMessage[] {
  const out: EnvoyMessage[] = [];
  for (const service of context.scope.services) {
    const rule = context.scope.ruleFor(service);
    for (const port of service.ports) {
      if (port.protocol === "UDP") continue;
      out.push(outboundCluster(context, service, port, undefined));
      for (const subset of rule?.subsets ?? []) out.push(outboundCluster(context, service, port, subset));
    }
  }
  out.push(blackHoleCluster());
  out.push(passthroughCluster(context));
  return out;
}

function outboundCluster(
  context: TranslateContext,
  service: MeshService,
  port: MeshPort,
  subset: Subset | undefined,
): EnvoyMessage {
  const rule = context.scope.ruleFor(service);
  const policy = effectivePolicy(rule, subset, port.port);
  const isGateway = context.node.type === "router";
  const name = clusterName("outbound", port.port, subset?.name, service.hostname);
  const version = outboundHttp(port.protocol, policy.connectionPool, context.state.mesh, isGateway);
  const http = httpProtocolOptions(version, policy.connectionPool, requestNames(policy.tls, service));
  const { type: forcedType, ...balancer } = loadBalancer(policy.loadBalancer);
  const isOriginalDst =
    forcedType === "ORIGINAL_DST" ||
    (service.resolution === "Passthrough" && !isHeadlessBehindGateway(context, service));
  return {
    name,
    alt_stat_name: `${name};`,
    ...discovery(context, service, port, subset, isOriginalDst),
    ...connectionOptions(policy.connectionPool, context.state.mesh.connectTimeout),
    ...(isOriginalDst ? { lb_policy: "CLUSTER_PROVIDED" } : balancer),
    circuit_breakers: circuitBreakers(policy.connectionPool),
    ...outlierDetection(policy.outlierDetection),
    typed_extension_protocol_options: http,
    ...transportSockets(context, service, port, subset, version === "http2"),
    filters: metadataExchangeFilters(context.node),
    metadata: {
      filter_metadata: {
        istio: {
          services: [{ host: service.hostname, name: service.name, namespace: service.namespace }],
          ...(subset === undefined ? {} : { subset: subset.name }),
          ...(rule === undefined
            ? {}
            : {
                config: `/apis/networking.istio.io/v1/namespaces/${rule.namespace}/destination-rule/${rule.name}`,
              }),
          ...(service.isExternal ? { external: true } : {}),
          ...(originatesTls(context, service, port, subset) ? { alpn_override: "false" } : {}),
        },
      },
    },
  };
}

function discovery(
  context: TranslateContext,
  service: MeshService,
  port: MeshPort,
  subset: Subset | undefined,
  isOriginalDst: boolean,
): EnvoyMessage {
  const name = clusterName("outbound", port.port, subset?.name, service.hostname);
  if (isOriginalDst) return { type: "ORIGINAL_DST" };
  if (service.resolution === "ClientSide" || isHeadlessBehindGateway(context, service)) {
    return { type: "EDS", eds_cluster_config: { eds_config: ADS_CONFIG_SOURCE, service_name: name } };
  }
  const request: ServiceEndpointRequest = { service, port: port.port, subset };
  return {
    type: service.resolution === "DNS" ? "STRICT_DNS" : "LOGICAL_DNS",
    dns_lookup_family: "V4_ONLY",
    dns_refresh_rate: "60s",
    respect_dns_ttl: true,
    load_assignment: staticAssignment(name, endpointsFor(context, request)),
  };
}

/** A gateway's clients never asked for a pod of a headless service by address: it chooses among the endpoints. */
function isHeadlessBehindGateway({ node }: TranslateContext, service: MeshService): boolean {
  return node.type === "router" && service.registry === "Kubernetes" && service.resolution === "Passthrough";
}

/** Explicit TLS of the rule; else mTLS towards every endpoint that has a sidecar (auto mTLS); else plain. */
function transportSockets(
  context: TranslateContext,
  service: MeshService,
  port: MeshPort,
  subset: Subset | undefined,
  isHttp2: boolean,
): EnvoyMessage {
  const { tls } = effectivePolicy(context.scope.ruleFor(service), subset, port.port);
  const mtls = () =>
    istioMtlsUpstream({
      sni: tls?.sni ?? sniOfCluster(port.port, subset?.name, service.hostname),
      alpn: isHttp2 ? ISTIO_MTLS_H2_ALPN : ISTIO_MTLS_ALPN,
      subjectAltNames: tls?.subjectAltNames ?? identitiesOf(context, service),
    });
  switch (tls?.mode) {
    case "DISABLE":
      return {};
    case "ISTIO_MUTUAL":
      return { transport_socket: mtls() };
    case "SIMPLE":
    case "MUTUAL":
      return {
        transport_socket: originatedTls(tls, {
          isHttp2,
          readsSecrets: canReadSecrets(context.node.type, context.scope.ruleFor(service)),
          defaultSans: service.subjectAltNames,
        }),
      };
    case undefined:
      // A tls block without a mode is the first value of the enum, DISABLE.
      if (tls !== undefined) return {};
      break;
  }
  if (!context.state.mesh.enableAutoMtls || service.isExternal) return {};
  return {
    transport_socket_matches: [
      { name: "tlsMode-istio", match: { tlsMode: "istio" }, transport_socket: mtls() },
      { name: "tlsMode-disabled", match: {}, transport_socket: rawBufferSocket() },
    ],
  };
}

/** Without a server name in the rule TLS asks for the host of each request, and without names to check the peer must bear it. */
function requestNames(tls: ClientTlsSettings | undefined, service: MeshService): EnvoyMessage | undefined {
  if (tls === undefined || (tls.mode !== "SIMPLE" && tls.mode !== "MUTUAL")) return undefined;
  if (tls.sni !== undefined && tls.sni !== "") return undefined;
  const hasNames = (tls.subjectAltNames ?? service.subjectAltNames).length > 0;
  const isChecked = !hasNames && tls.insecureSkipVerify !== true;
  return { auto_sni: true, auto_san_validation: isChecked ? true : undefined };
}

/** TLS that the rule asks for keeps its own ALPN: what istio.alpn offers is understood inside the mesh only. */
function originatesTls(
  context: TranslateContext,
  service: MeshService,
  port: MeshPort,
  subset: Subset | undefined,
): boolean {
  const mode = effectivePolicy(context.scope.ruleFor(service), subset, port.port).tls?.mode;
  return mode === "SIMPLE" || mode === "MUTUAL";
}

/** SPIFFE identities of the service accounts behind a service, sorted. */
function identitiesOf(context: TranslateContext, service: MeshService): readonly string[] {
  const trusted = trustDomainsOf(context.state.mesh);
  const accounts = new Set<string>();
  for (const endpoint of context.state.endpoints.get(service.key) ?? []) {
    if (endpoint.serviceAccount === "") continue;
    for (const domain of trusted)
      accounts.add(`spiffe://${domain}/ns/${endpoint.namespace}/sa/${endpoint.serviceAccount}`);
  }
  return [...service.subjectAltNames, ...[...accounts].sort()];
}

function blackHoleCluster(): EnvoyMessage {
  return {
    name: BLACKHOLE_CLUSTER,
    type: "STATIC",
    connect_timeout: "10s",
  };
}

function passthroughCluster(context: TranslateContext): EnvoyMessage {
  return {
    name: PASSTHROUGH_CLUSTER,
    type: "ORIGINAL_DST",
    connect_timeout: "10s",
    lb_policy: "CLUSTER_PROVIDED",
    circuit_breakers: circuitBreakers(undefined),
    typed_extension_protocol_options: httpProtocolOptions("client", undefined),
    filters: metadataExchangeFilters(context.node),
  };
}
