/** virtualOutbound (15001): takes every captured connection and hands it to the listener of its original destination; the rest is unclaimed. */
import type { EnvoyMessage } from "../model/json.ts";
import type { TranslateContext } from "./context.ts";
import { socketAddress } from "./listener-parts.ts";
import { BLACKHOLE_CLUSTER } from "./names.ts";
import { unclaimedCluster } from "./route.ts";
import { tcpFilters, tcpProxy, toCluster } from "./tcp-proxy.ts";
import { listenerAccessLog } from "./telemetry.ts";

export const VIRTUAL_OUTBOUND_PORT = 15001;

export function virtualOutbound(context: TranslateContext): EnvoyMessage {
  const cluster = unclaimedCluster(context);
  return {
    name: "virtualOutbound",
    address: socketAddress("0.0.0.0", VIRTUAL_OUTBOUND_PORT),
    filter_chains: [
      {
        name: "virtualOutbound-trap",
        // A connection to the listener itself would be sent to itself, for ever.
        filter_chain_match: { destination_port: VIRTUAL_OUTBOUND_PORT },
        filters: [
          tcpProxy({
            context,
            traffic: "SIDECAR_OUTBOUND",
            statPrefix: BLACKHOLE_CLUSTER,
            clusters: toCluster(BLACKHOLE_CLUSTER),
          }),
        ],
      },
      {
        name: "virtualOutbound-catchall-tcp",
        filters: tcpFilters({
          context,
          traffic: "SIDECAR_OUTBOUND",
          statPrefix: cluster,
          clusters: toCluster(cluster),
        }),
      },
    ],
    use_original_dst: true,
    traffic_direction: "OUTBOUND",
    access_log: listenerAccessLog(context.state.mesh),
  };
}
