/**
 * virtualInbound (15006): filter chains for every port that a service of this workload (or its Sidecar's ingress) declares, and
 * catch-alls for the ports that none does. Chains are named `0.0.0.0_<target port>`.
 */
import type { IstioIngressListener } from "@argyle/kube-types";
import type { EnvoyMessage } from "../model/json.ts";
import { trustDomainsOf } from "../model/mesh-config.ts";
import { type MtlsPolicy, mtlsModeOfPort, mtlsPolicyOf } from "../model/peer-authentication.ts";
import { isHttp, type Protocol, parseProtocol } from "../model/protocol.ts";
import { type ServiceTarget, serviceTargets } from "../model/service-target.ts";
import type { TranslateContext } from "./context.ts";
import { httpConnectionManager } from "./http-connection-manager.ts";
import { type ChainVariant, chainVariants } from "./inbound-chain.ts";
import { httpInspector, originalDestination, socketAddress, tlsInspector } from "./listener-parts.ts";
import { BLACKHOLE_CLUSTER, clusterName, INBOUND_PASSTHROUGH_CLUSTER, wildcardAddress } from "./names.ts";
import { tcpFilters, tcpProxy, toCluster } from "./tcp-proxy.ts";
import { listenerAccessLog } from "./telemetry.ts";
import { serverTls } from "./tls-context.ts";

export const VIRTUAL_INBOUND_PORT = 15006;

/** A port that the program of this pod listens on, and what is known about it. */
export interface InboundPort {
  readonly targetPort: number;
  readonly servicePort: number;
  readonly protocol: Protocol;
  /** Undefined for ports that only a Sidecar resource declares. */
  readonly hostname: string | undefined;
  readonly chainName: string;
  readonly ingress: IstioIngressListener | undefined;
}

/** One entry per target port: when several services declare a port, the first declared protocol counts. */
export function inboundPorts(context: TranslateContext): readonly InboundPort[] {
  const { state, node, scope } = context;
  const targets = serviceTargets(state, node);
  const ingress = scope.sidecar?.spec.ingress ?? [];
  if (ingress.length > 0) return ingress.flatMap((listener) => ingressPort(listener, targets, node.ip));
  const out = new Map<number, InboundPort>();
  for (const { service, port, targetPort } of targets) {
    if (out.has(targetPort)) continue;
    out.set(targetPort, {
      targetPort,
      servicePort: port.port,
      protocol: port.protocol,
      hostname: service.hostname,
      chainName: wildcardAddress(targetPort),
      ingress: undefined,
    });
  }
  return [...out.values()].sort((a, b) => a.targetPort - b.targetPort);
}

function ingressPort(
  listener: IstioIngressListener,
  targets: readonly ServiceTarget[],
  ip: string,
): readonly InboundPort[] {
  const { number, protocol } = listener.port;
  if (number === undefined) return [];
  const target = targets.find((candidate) => candidate.targetPort === number || candidate.port.port === number);
  return [
    {
      targetPort: number,
      servicePort: target?.port.port ?? number,
      protocol: parseProtocol(protocol, number),
      hostname: target?.service.hostname,
      chainName: `${listener.bind ?? (ip === "" ? "0.0.0.0" : ip)}_${number}`,
      ingress: listener,
    },
  ];
}

export function virtualInbound(context: TranslateContext): EnvoyMessage {
  const { state, node } = context;
  const policy = mtlsPolicyOf(state.peerAuthentications, node, state.mesh.rootNamespace);
  const ports = inboundPorts(context);
  return {
    name: "virtualInbound",
    address: socketAddress("0.0.0.0", VIRTUAL_INBOUND_PORT),
    filter_chains: [
      trapChain(context),
      ...passthroughChains(context, policy, ports),
      ...ports.flatMap((port) => portChains(context, policy, port)),
    ],
    listener_filters: [originalDestination(), tlsInspector(), httpInspector()],
    listener_filters_timeout: "0s",
    continue_on_listener_filters_timeout: true,
    traffic_direction: "INBOUND",
    access_log: listenerAccessLog(state.mesh),
  };
}

function portChains(context: TranslateContext, policy: MtlsPolicy, port: InboundPort): readonly EnvoyMessage[] {
  const mode = mtlsModeOfPort(policy, port.targetPort);
  const own = port.ingress?.tls;
  if (own !== undefined && mode === "DISABLE") {
    const http = isHttp(port.protocol) || port.protocol === "HTTPS";
    const socket = serverTls(own, { isHttp: http, trustDomains: trustDomainsOf(context.state.mesh) });
    const variant: ChainVariant = {
      kind: http ? "http" : "tcp",
      match: { transport_protocol: "tls" },
      transportSocket: socket,
    };
    return [portChain(context, port, variant)];
  }
  return chainVariants(port.protocol, mode, trustDomainsOf(context.state.mesh)).map((variant) =>
    portChain(context, port, variant),
  );
}

function portChain(context: TranslateContext, port: InboundPort, variant: ChainVariant): EnvoyMessage {
  const cluster = clusterName("inbound", port.targetPort, undefined, "");
  const address = wildcardAddress(port.targetPort);
  return {
    name: port.chainName,
    filter_chain_match: { destination_port: port.targetPort, ...variant.match },
    transport_socket: variant.transportSocket,
    filters:
      variant.kind === "http"
        ? [
            httpConnectionManager({
              context,
              traffic: "SIDECAR_INBOUND",
              statPrefix: `inbound_${address}`,
              routes: { inline: inboundRoute(cluster, port) },
            }),
          ]
        : tcpFilters({
            context,
            traffic: "SIDECAR_INBOUND",
            statPrefix: cluster,
            clusters: toCluster(cluster),
          }),
  };
}

function inboundRoute(cluster: string, port: Pick<InboundPort, "servicePort" | "hostname">): EnvoyMessage {
  return {
    name: cluster,
    virtual_hosts: [
      {
        name: `inbound|http|${port.servicePort}`,
        domains: ["*"],
        routes: [
          {
            name: "default",
            match: { prefix: "/" },
            route: {
              cluster,
              timeout: "0s",
              max_stream_duration: { max_stream_duration: "0s", grpc_timeout_header_max: "0s" },
            },
            decorator: {
              operation: port.hostname === undefined ? ":0/*" : `${port.hostname}:${port.servicePort}/*`,
            },
          },
        ],
      },
    ],
    validate_clusters: false,
  };
}

/** A connection to the listener itself would be sent to itself, for ever. */
function trapChain(context: TranslateContext): EnvoyMessage {
  return {
    name: "virtualInbound-blackhole",
    filter_chain_match: { destination_port: VIRTUAL_INBOUND_PORT },
    filters: [
      tcpProxy({
        context,
        traffic: "SIDECAR_INBOUND",
        statPrefix: BLACKHOLE_CLUSTER,
        clusters: toCluster(BLACKHOLE_CLUSTER),
      }),
    ],
  };
}

/** Ports that nothing declares: the workload's mode, and the modes of single ports that a policy names. */
function passthroughChains(
  context: TranslateContext,
  policy: MtlsPolicy,
  ports: readonly InboundPort[],
): readonly EnvoyMessage[] {
  const declared = new Set(ports.map((port) => port.targetPort));
  const trusted = trustDomainsOf(context.state.mesh);
  const named = [...policy.byPort].filter(([port]) => !declared.has(port));
  return [
    ...chainVariants("Auto", policy.mode, trusted).map((variant) => passthroughChain(context, variant, undefined)),
    ...named.flatMap(([port, mode]) =>
      chainVariants("Auto", mode, trusted).map((v) => passthroughChain(context, v, port)),
    ),
  ];
}

function passthroughChain(context: TranslateContext, variant: ChainVariant, port: number | undefined): EnvoyMessage {
  const cluster = INBOUND_PASSTHROUGH_CLUSTER;
  const suffix = port === undefined ? "" : `_${port}`;
  const match = { destination_port: port, ...variant.match };
  const isHttpChain = variant.kind === "http";
  return {
    name: isHttpChain ? `virtualInbound-catchall-http${suffix}` : `virtualInbound${suffix}`,
    filter_chain_match: match,
    transport_socket: variant.transportSocket,
    filters: isHttpChain
      ? [
          httpConnectionManager({
            context,
            traffic: "SIDECAR_INBOUND",
            statPrefix: cluster,
            routes: { inline: { ...inboundRoute(cluster, { servicePort: 0, hostname: undefined }), name: cluster } },
          }),
        ]
      : tcpFilters({ context, traffic: "SIDECAR_INBOUND", statPrefix: cluster, clusters: toCluster(cluster) }),
  };
}
