/**
 * Clusters of gateways with AUTO_PASSTHROUGH servers: one for each port and subset of a mesh service that such a server admits, named as the
 * server name by which a sidecar asks for it (`outbound_.80_.v1_.host`). TLS is not opened, so nothing is known but the endpoints.
 * Spec: istio.io reference, ServerTLSSettings.TLSmode.
 */
import { effectivePolicy } from "../model/destination-rule.ts";
import { hostCovers } from "../model/host.ts";
import type { EnvoyMessage } from "../model/json.ts";
import type { MeshPort, MeshService } from "../model/service.ts";
import { circuitBreakers, connectionOptions, loadBalancer, outlierDetection } from "./cluster-policy.ts";
import type { TranslateContext } from "./context.ts";
import { gatewayPorts, type MergedServer } from "./gateway-server.ts";
import { sniOfCluster } from "./names.ts";
import { ADS_CONFIG_SOURCE } from "./tls-context.ts";

export function sniClusters(context: TranslateContext, { hosts }: MergedServer): readonly string[] {
  return targets(context, hosts).map(({ name }) => name);
}

export function sniClusterResources(context: TranslateContext): readonly EnvoyMessage[] {
  const servers = gatewayPorts(context).flatMap(({ servers }) =>
    servers.filter(({ server }) => server.tls?.mode === "AUTO_PASSTHROUGH"),
  );
  const hosts = [...new Set(servers.flatMap((server) => server.hosts))];
  return targets(context, hosts).map(({ name, service, port, subset }) => {
    const rule = context.scope.ruleFor(service);
    const policy = effectivePolicy(
      rule,
      rule?.subsets.find((candidate) => candidate.name === subset),
      port.port,
    );
    const { type: _, ...balancer } = loadBalancer(policy.loadBalancer);
    return {
      name,
      type: "EDS",
      eds_cluster_config: { eds_config: ADS_CONFIG_SOURCE, service_name: name },
      ...connectionOptions(policy.connectionPool, context.state.mesh.connectTimeout),
      ...(balancer.lb_policy === "CLUSTER_PROVIDED" ? {} : balancer),
      circuit_breakers: circuitBreakers(policy.connectionPool),
      ...outlierDetection(policy.outlierDetection),
      metadata: {
        filter_metadata: {
          istio: { services: [{ host: service.hostname, name: service.name, namespace: service.namespace }] },
        },
      },
    };
  });
}

interface SniTarget {
  readonly name: string;
  readonly service: MeshService;
  readonly port: MeshPort;
  readonly subset: string | undefined;
}

function targets({ scope }: TranslateContext, hosts: readonly string[]): readonly SniTarget[] {
  return scope.services
    .filter((service) => !service.isExternal && hosts.some((host) => hostCovers(host, service.hostname)))
    .flatMap((service) => {
      const subsets = [undefined, ...(scope.ruleFor(service)?.subsets ?? []).map(({ name }) => name)];
      return service.ports
        .filter(({ protocol }) => protocol !== "UDP")
        .flatMap((port) =>
          subsets.map((subset) => ({
            name: sniOfCluster(port.port, subset, service.hostname),
            service,
            port,
            subset,
          })),
        );
    });
}
