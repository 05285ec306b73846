/**
 * Everything kube-proxy serves, as collections computed from Services, EndpointSlices and Pods: a change of a pod's readiness touches the
 * one virtual IP it concerns. servers.ts makes reality follow.
 */
import {
  type Collection,
  createCollection,
  createManyCollection,
  type DerivedCollection,
  type Index,
  keyOf,
} from "@argyle/kube-client";
import { type EndpointSlice, type Pod, SERVICE_NAME_LABEL, type Service } from "@argyle/kube-types";
import { type Backend, buildRoute, type ServiceRoute } from "./routes.ts";

/** One port of one cluster IP: `$RUN/<ip>/<port>.sock`. */
export interface VirtualPort {
  readonly ip: string;
  readonly port: number;
  readonly backends: readonly Backend[];
}

/** A Service's claim on a port of the host. */
export interface HostPort {
  readonly port: number;
  /** The Service's port that is meant; differs from `port` for NodePorts and re-mapped ports. */
  readonly servicePort: number;
  readonly kind: "NodePort" | "LoadBalancer";
  readonly route: ServiceRoute;
  readonly backends: readonly Backend[];
}

/** A pod of the pod network. */
export interface NetworkPod {
  readonly ip: string;
  readonly namespace: string;
  readonly name: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** It has a sidecar, whose worker serves its `out.sock`; the others' is ours. */
  readonly hasProxy: boolean;
}

export interface Tables {
  readonly routes: DerivedCollection<ServiceRoute>;
  /** By `<ip>/<port>`. */
  readonly virtualPorts: DerivedCollection<VirtualPort>;
  readonly hostPorts: DerivedCollection<HostPort>;
  /** By the port on the host. */
  readonly hostPortClaims: Index<HostPort>;
  /** File name to text. */
  readonly dns: DerivedCollection<{ readonly file: string; readonly text: string }>;
  readonly pods: DerivedCollection<NetworkPod>;
  readonly podsByIp: Index<NetworkPod>;
  close(): void;
}

export interface TablesInput {
  readonly services: Collection<Service>;
  readonly slices: Collection<EndpointSlice>;
  readonly pods: Collection<Pod>;
  /** LoadBalancer ports that are served under another number on the host. */
  readonly hostPortMap: ReadonlyMap<number, number>;
  readonly onError: (thrown: unknown, key: string) => void;
}

export function createTables(input: TablesInput): Tables {
  const { onError } = input;
  const slicesByService = input.slices.index((slice) => {
    const name = slice.metadata.labels?.[SERVICE_NAME_LABEL];
    return name === undefined ? [] : [keyOf(slice.metadata.namespace, name)];
  });
  const routes = createCollection<Service, ServiceRoute>({
    source: input.services,
    transform: (service, fetch, key) => buildRoute(service, fetch.lookup(slicesByService, key)),
    onError,
  });
  const virtualPorts = createManyCollection<ServiceRoute, VirtualPort>({
    source: routes,
    keyOf: ({ ip, port }) => `${ip}/${port}`,
    transform: ({ clusterIP, ports }) =>
      clusterIP === undefined ? [] : ports.map(({ port, backends }) => ({ ip: clusterIP, port, backends })),
    onError,
  });
  const hostPorts = createManyCollection<ServiceRoute, HostPort>({
    source: routes,
    keyOf: ({ port, route }) => `${port} ${route.namespace}/${route.name}`,
    transform: (route) => hostPortsOf(route, input.hostPortMap),
    onError,
  });
  const dns = createManyCollection<ServiceRoute, ServiceRoute["dns"][number]>({
    source: routes,
    keyOf: ({ file }) => file,
    transform: (route) => route.dns,
    onError,
  });
  const pods = createCollection<Pod, NetworkPod>({ source: input.pods, transform: networkPodOf, onError });
  const all = [routes, virtualPorts, hostPorts, dns, pods];
  return {
    routes,
    virtualPorts,
    hostPorts,
    hostPortClaims: hostPorts.index(({ port }) => [String(port)]),
    dns,
    pods,
    podsByIp: pods.index(({ ip }) => [ip]),
    close() {
      for (const table of all) table.close();
    },
  };
}

function hostPortsOf(route: ServiceRoute, hostPortMap: ReadonlyMap<number, number>): readonly HostPort[] {
  return route.ports.flatMap(({ port, nodePort, backends }) => {
    const shared = { servicePort: port, route, backends };
    const node: HostPort[] = nodePort === undefined ? [] : [{ ...shared, port: nodePort, kind: "NodePort" }];
    if (route.type !== "LoadBalancer") return node;
    return [...node, { ...shared, port: hostPortMap.get(port) ?? port, kind: "LoadBalancer" }];
  });
}

const PROXY_CONTAINER = "istio-proxy";

function networkPodOf(pod: Pod): NetworkPod | undefined {
  const { phase, podIP } = pod.status ?? {};
  if (podIP === undefined || podIP === "" || phase === "Succeeded" || phase === "Failed") return undefined;
  if (pod.spec.hostNetwork === true) return undefined;
  const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  const { namespace = "default", name, annotations = {} } = pod.metadata;
  return { ip: podIP, namespace, name, annotations, hasProxy: containers.some((c) => c.name === PROXY_CONTAINER) };
}
