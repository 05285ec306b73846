/**
 * Inbound clusters of sidecars: `inbound|<target port>||` goes to the address that the connection was made to, which is the pod's own
 * (in the pod network: `<port>.sock`). A Sidecar's defaultEndpoint names another one.
 */
import type { EnvoyMessage } from "../model/json.ts";
import { circuitBreakers, httpProtocolOptions, upstreamHttpOf } from "./cluster-policy.ts";
import type { TranslateContext } from "./context.ts";
import { type InboundPort, inboundPorts } from "./inbound-listener.ts";
import { clusterName, INBOUND_PASSTHROUGH_CLUSTER } from "./names.ts";

/** Connections of the proxy to its own program leave from here, so that they are not captured again. */
const BIND_ADDRESS = "127.0.0.6";

export function inboundClusters(context: TranslateContext): readonly EnvoyMessage[] {
  return [...inboundPorts(context).map((port) => inboundCluster(context, port)), passthrough()];
}

function inboundCluster(context: TranslateContext, port: InboundPort): EnvoyMessage {
  const name = clusterName("inbound", port.targetPort, undefined, "");
  const endpoint = endpointOf(port);
  return {
    name,
    alt_stat_name: `${name};`,
    ...(endpoint === undefined
      ? originalDestination()
      : {
          type: "STATIC",
          load_assignment: {
            cluster_name: name,
            endpoints: [
              {
                lb_endpoints: [
                  { endpoint: { address: { socket_address: { address: endpoint.host, port_value: endpoint.port } } } },
                ],
              },
            ],
          },
        }),
    connect_timeout: "10s",
    circuit_breakers: circuitBreakers(context.scope.sidecar?.spec.inboundConnectionPool),
    typed_extension_protocol_options: httpProtocolOptions(upstreamHttpOf(port.protocol), undefined),
    metadata:
      port.hostname === undefined
        ? undefined
        : {
            filter_metadata: {
              istio: {
                services: [
                  {
                    host: port.hostname,
                    name: port.hostname.split(".")[0],
                    namespace: port.hostname.split(".")[1],
                  },
                ],
              },
            },
          },
  };
}

function passthrough(): EnvoyMessage {
  return {
    name: INBOUND_PASSTHROUGH_CLUSTER,
    ...originalDestination(),
    connect_timeout: "10s",
    circuit_breakers: circuitBreakers(undefined),
    typed_extension_protocol_options: httpProtocolOptions("client", undefined),
  };
}

function originalDestination(): EnvoyMessage {
  return {
    type: "ORIGINAL_DST",
    lb_policy: "CLUSTER_PROVIDED",
    upstream_bind_config: { source_address: { address: BIND_ADDRESS, port_value: 0 } },
  };
}

/** `0.0.0.0:port` and none mean "the address that was asked for". */
function endpointOf(port: InboundPort): { readonly host: string; readonly port: number } | undefined {
  const text = port.ingress?.defaultEndpoint;
  if (text === undefined || text === "") return undefined;
  const colon = text.lastIndexOf(":");
  const host = text.slice(0, colon);
  const number = Number(text.slice(colon + 1));
  if (!Number.isInteger(number)) return undefined;
  if (host === "0.0.0.0" && number === port.targetPort) return undefined;
  return { host: host === "0.0.0.0" ? "127.0.0.1" : host, port: number };
}
