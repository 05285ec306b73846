/** Bootstraps of one plain sidecar, and of two that speak mTLS to each other, in front of a backend. */
import { createAuthority } from "../../../packages/proxy/test/authority.ts";

const TYPE = "type.googleapis.com/envoy";

export function plainSidecar(port: number, backend: number): object {
  return bootstrap(listener(port), cluster(backend));
}

/** The outbound and the inbound side. */
export async function mutualTlsPair(ports: { outbound: number; inbound: number; backend: number }) {
  const authority = await createAuthority();
  const identity = async (name: string) => {
    const { cert, key } = await authority.issue({
      names: [{ type: "url", value: `spiffe://cluster.local/ns/soak/sa/${name}` }],
    });
    return {
      tls_certificates: [{ certificate_chain: { inline_string: cert }, private_key: { inline_string: key } }],
      validation_context: { trusted_ca: { inline_string: authority.root } },
    };
  };
  const socket = (kind: string, context: object) => ({
    name: "tls",
    typed_config: { "@type": `${TYPE}.extensions.transport_sockets.tls.v3.${kind}TlsContext`, ...context },
  });
  const client = socket("Upstream", { common_tls_context: await identity("client"), sni: "soak" });
  const server = socket("Downstream", {
    common_tls_context: await identity("server"),
    require_client_certificate: true,
  });
  return {
    outbound: bootstrap(listener(ports.outbound), cluster(ports.inbound, { transport_socket: client })),
    inbound: bootstrap(listener(ports.inbound, { transport_socket: server }), cluster(ports.backend)),
  };
}

function bootstrap(one: object, upstream: object): object {
  return { node: { id: "soak", cluster: "soak" }, static_resources: { listeners: [one], clusters: [upstream] } };
}

function listener(port: number, chain: object = {}): object {
  const manager = {
    "@type": `${TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "soak",
    route_config: {
      name: "soak",
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [{ match: { prefix: "/" }, route: { cluster: "backend", timeout: "0s" } }],
        },
      ],
    },
    http_filters: [
      {
        name: "envoy.filters.http.router",
        typed_config: { "@type": `${TYPE}.extensions.filters.http.router.v3.Router` },
      },
    ],
  };
  return {
    name: "main",
    address: address(port),
    filter_chains: [{ ...chain, filters: [{ name: "hcm", typed_config: manager }] }],
  };
}

function cluster(port: number, more: object = {}): object {
  return {
    name: "backend",
    type: "STATIC",
    connect_timeout: "2s",
    load_assignment: {
      cluster_name: "backend",
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }],
    },
    ...more,
  };
}

function address(port: number): object {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}
