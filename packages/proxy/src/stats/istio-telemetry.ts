/**
 * Istio's standard metrics and peer metadata exchange for one proxy. Cells are resolved once per (peer, service, principals, code, flags); a
 * request costs a few map look-ups and additions.
 * https://istio.io/latest/docs/reference/config/metrics/
 */
import type { Counter, Family, Histogram, Registry } from "@argyle/telemetry";
import type { HcmConfig } from "../config/hcm-config.ts";
import type { ListenerConfig } from "../config/listener-config.ts";
import type { TcpSession } from "../tcp-proxy.ts";
import type { Cluster } from "../upstream/cluster.ts";
import type { Host } from "../upstream/host.ts";
import type { HttpTelemetry } from "./http-telemetry.ts";
import {
  createHostFallback,
  HTTP_LABELS,
  MESSAGE_LABELS,
  messageLabels,
  type ServiceLabels,
  serviceOf,
  sharedLabels,
  TCP_LABELS,
  UNKNOWN_SERVICE,
  workloadOfHost,
} from "./istio-labels.ts";
import { createMetadataExchange, type MetadataExchange } from "./metadata-exchange.ts";
import { boundedGrpc, createCellCache, principals } from "./metric-cells.ts";
import {
  createPeerDirectory,
  createStrangers,
  encodePeerMetadata,
  UNKNOWN_WORKLOAD,
  type Workload,
  workloadOf,
} from "./peer-metadata.ts";
import type { TcpTelemetry } from "./tcp-report.ts";

export interface IstioTelemetry {
  /** Undefined when the filter chain has neither istio.stats nor peer metadata. */
  forHttp(config: HcmConfig, direction: ListenerConfig["direction"]): HttpTelemetry | undefined;
  forTcp(direction: ListenerConfig["direction"]): TcpTelemetry;
  readonly exchange: MetadataExchange;
}

export interface IstioTelemetryOptions {
  readonly registry: Registry;
  readonly node: { readonly id: string; readonly metadata: Readonly<Record<string, unknown>> };
  /** Our SPIFFE id, from the certificate in use. */
  readonly ownPrincipal: () => string | undefined;
}

const METADATA_HEADER = "x-envoy-peer-metadata";
const METADATA_ID_HEADER = "x-envoy-peer-metadata-id";
const IDLE_SCRAPES = 40;
const TCP_REPORT_MS = 5000;

interface HttpCells {
  readonly requests: Counter;
  readonly duration: Histogram;
  readonly requestBytes: Histogram;
  readonly responseBytes: Histogram;
}

interface MessageCells {
  readonly requests: Counter;
  readonly responses: Counter;
}

interface TcpCells {
  readonly opened: Counter;
  readonly closed: Counter;
  readonly sent: Counter;
  readonly received: Counter;
}

export function createIstioTelemetry(options: IstioTelemetryOptions): IstioTelemetry {
  const { registry, node } = options;
  const own = workloadOf(node.metadata);
  const ownHeader = encodePeerMetadata(node.metadata);
  const peers = createPeerDirectory();
  const strangers = createStrangers();
  const hosts = createHostFallback();
  const services = new WeakMap<Cluster, ServiceLabels>();
  const http = { labels: HTTP_LABELS, idleScrapes: IDLE_SCRAPES };
  const tcp = { labels: TCP_LABELS, idleScrapes: IDLE_SCRAPES };
  const requests = registry.counter({ name: "istio_requests_total", ...http });
  const duration = registry.histogram({ name: "istio_request_duration_milliseconds", ...http });
  const requestBytes = registry.histogram({ name: "istio_request_bytes", ...http });
  const responseBytes = registry.histogram({ name: "istio_response_bytes", ...http });
  const messages = { labels: MESSAGE_LABELS, idleScrapes: IDLE_SCRAPES };
  const requestMessages = registry.counter({ name: "istio_request_messages_total", ...messages });
  const responseMessages = registry.counter({ name: "istio_response_messages_total", ...messages });
  const tcpCounter = (name: string): Family<Counter> => registry.counter({ name, ...tcp });
  const opened = tcpCounter("istio_tcp_connections_opened_total");
  const closed = tcpCounter("istio_tcp_connections_closed_total");
  const sent = tcpCounter("istio_tcp_sent_bytes_total");
  const received = tcpCounter("istio_tcp_received_bytes_total");

  const serviceLabels = (cluster: Cluster | undefined, isInbound: boolean): ServiceLabels => {
    if (cluster === undefined) return UNKNOWN_SERVICE;
    let labels = services.get(cluster);
    if (labels === undefined) {
      labels = serviceOf(cluster.config);
      // A workload that no service selects is called by its own name; the Host header would let any caller make up labels.
      if (isInbound && labels.name === "unknown")
        labels = { ...labels, host: own.canonicalName, name: own.canonicalName };
      services.set(cluster, labels);
    }
    return labels;
  };

  const httpCells = createCellCache<HttpCells>((input, protocol, code, flags, grpc, policy) => {
    const labels = [...sharedLabels(input, protocol), String(code), grpc, flags, policy];
    return {
      requests: requests.cell(...labels),
      duration: duration.cell(...labels),
      requestBytes: requestBytes.cell(...labels),
      responseBytes: responseBytes.cell(...labels),
    };
  });
  const messageCells = createCellCache<MessageCells>((input) => {
    const labels = messageLabels(input);
    return { requests: requestMessages.cell(...labels), responses: responseMessages.cell(...labels) };
  });
  const tcpCells = createCellCache<TcpCells>((input, protocol, _code, flags, _grpc, policy) => {
    const labels = [...sharedLabels(input, protocol), flags, policy];
    return {
      opened: opened.cell(...labels),
      closed: closed.cell(...labels),
      sent: sent.cell(...labels),
      received: received.cell(...labels),
    };
  });

  const peerOf = (
    isInbound: boolean,
    peer: Workload | undefined,
    host: Host | undefined,
    sourcePrincipal: string,
  ): Workload => {
    if (peer !== undefined) return peer;
    if (isInbound) return strangers(sourcePrincipal);
    return (host === undefined ? undefined : workloadOfHost(host)) ?? UNKNOWN_WORKLOAD;
  };

  return {
    exchange: createMetadataExchange(registry, node),
    forHttp(config, direction) {
      const hasStats = config.filters.some((filter) => filter.kind === "istio-stats");
      const exchange = config.filters.find((filter) => filter.kind === "peer-metadata");
      if (!hasStats && exchange === undefined) return undefined;
      const isInbound = direction === "INBOUND";
      const usesHostHeader = !isInbound && config.filters.some((f) => f.kind === "istio-stats" && f.usesHostHeader);
      return {
        onRequest(stream) {
          const { headers } = stream.state;
          const text = headers.get(METADATA_HEADER);
          if (isInbound && text !== undefined) stream.peer = peers.lookup(text);
          stream.peerAsksForMetadata = isInbound && headers.has(METADATA_ID_HEADER);
          // Neither the app nor anyone outside the mesh may speak for a workload.
          if (text !== undefined) headers.remove(METADATA_HEADER);
          headers.remove(METADATA_ID_HEADER);
        },
        onUpstreamRequest(stream) {
          if (isInbound || stream.cluster?.config.type !== "EDS") return;
          stream.state.headers.set(METADATA_HEADER, ownHeader);
          stream.state.headers.set(METADATA_ID_HEADER, node.id);
        },
        onResponse(stream, headers) {
          if (isInbound) {
            headers.remove(METADATA_HEADER);
            headers.remove(METADATA_ID_HEADER);
            if (!stream.peerAsksForMetadata) return;
            headers.set(METADATA_HEADER, ownHeader);
            headers.set(METADATA_ID_HEADER, node.id);
            return;
          }
          const text = headers.get(METADATA_HEADER);
          if (text !== undefined) {
            stream.peer = peers.lookup(text);
            headers.remove(METADATA_HEADER);
          }
          headers.remove(METADATA_ID_HEADER);
        },
        onComplete(stream) {
          if (!hasStats) return;
          const { state } = stream;
          const { source, destination, policy } = principals(isInbound, stream, options.ownPrincipal);
          const peer = peerOf(isInbound, stream.peer, stream.upstreamHost, source);
          const isGrpc = stream.messages !== undefined;
          const grpc = isGrpc
            ? (state.responseTrailers?.get("grpc-status") ?? state.responseHeaders?.get("grpc-status") ?? "")
            : "";
          const service = usesHostHeader
            ? hosts.serviceFor(serviceLabels(stream.cluster, false), state.authority)
            : serviceLabels(stream.cluster, isInbound);
          const cells = httpCells(
            isInbound,
            own,
            peer,
            service,
            source,
            destination,
            isGrpc ? "grpc" : "http",
            state.responseCode,
            state.responseFlags,
            boundedGrpc(grpc),
            policy,
          );
          cells.requests.add(1);
          cells.duration.observe(state.durationMs ?? 0);
          cells.requestBytes.observe(state.bytesReceived);
          cells.responseBytes.observe(state.bytesSent);
          if (stream.messages === undefined) return;
          const counted = messageCells(isInbound, own, peer, service, source, destination, "grpc", 0, "", "", "");
          counted.requests.add(stream.messages.requests.count);
          counted.responses.add(stream.messages.responses.count);
        },
      };
    },
    forTcp(direction) {
      const isInbound = direction === "INBOUND";
      const cellsOf = (session: TcpSession) => {
        const { source, destination, policy } = principals(isInbound, session, options.ownPrincipal);
        const peer = peerOf(isInbound, session.peer, session.host, source);
        const service = serviceLabels(session.cluster, isInbound);
        return tcpCells(
          isInbound,
          own,
          peer,
          service,
          source,
          destination,
          "tcp",
          0,
          session.state.responseFlags,
          "",
          policy,
        );
      };
      return {
        intervalMs: TCP_REPORT_MS,
        onOpened: (session) => cellsOf(session).opened.add(1),
        onBytes(session, sentBytes, receivedBytes) {
          const cells = cellsOf(session);
          cells.sent.add(sentBytes);
          cells.received.add(receivedBytes);
        },
        onClosed: (session) => cellsOf(session).closed.add(1),
      };
    },
  };
}
