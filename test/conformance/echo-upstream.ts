/**
 * What comes after the route in the echo set, as far as it is decided before a byte is sent: which host a balancer picks, whether the
 * connection to it is mutual TLS, and where TLS ends up that a gateway passes on unopened.
 */
import { isDeepStrictEqual } from "node:util";
import type { KubeObject } from "@argyle/kube-types";
import {
  type ClusterConfig,
  compileCluster,
  compileLoadAssignment,
} from "../../packages/proxy/src/config/cluster-config.ts";
import { Fields } from "../../packages/proxy/src/config/fields.ts";
import { requestHash } from "../../packages/proxy/src/http/request-hash.ts";
import { createBalancer } from "../../packages/proxy/src/upstream/balancer/create-balancer.ts";
import { Host } from "../../packages/proxy/src/upstream/host.ts";
import { appAt, echoNode } from "./echo-mesh.ts";
import { type Translation, translate } from "./mesh-translation.ts";
import { type Call, type Outcome, simulateCall } from "./simulate-call.ts";

interface Upstream {
  readonly config: ClusterConfig;
  readonly hosts: readonly Host[];
}

function upstreamOf(mesh: Translation, name: string): Upstream | undefined {
  const resource = mesh.cluster(name);
  const assignment = mesh.endpoints(name);
  if (resource === undefined || assignment === undefined) return undefined;
  const sink = { problems: [] };
  const config = compileCluster(new Fields(resource, "", sink));
  const { endpoints } = compileLoadAssignment(new Fields(assignment, "", sink));
  return { config, hosts: endpoints.map((endpoint) => new Host(endpoint)) };
}

/** Whether every host of the cluster is called with the workload's own certificate. */
export function isMutual(mesh: Translation, cluster: string): boolean {
  const upstream = upstreamOf(mesh, cluster);
  if (upstream === undefined || upstream.hosts.length === 0) return false;
  const { config, hosts } = upstream;
  return hosts.every((host) => {
    const labels = (host.metadata["envoy.transport_socket_match"] ?? {}) as Readonly<Record<string, unknown>>;
    const matched = config.transportMatches.find(({ match }) =>
      Object.entries(match).every(([key, value]) => isDeepStrictEqual(labels[key], value)),
    );
    const socket = matched?.transport ?? config.transport;
    return socket.kind === "tls" && socket.tls.certificate?.kind === "sds" && socket.tls.certificate.name === "default";
  });
}

/** The hosts that `count` equal requests of different connections go to. */
export function hostsOf(mesh: Translation, { cluster = "", answer }: Outcome, count: number): readonly string[] {
  const upstream = upstreamOf(mesh, cluster);
  if (upstream === undefined) return [];
  const balancer = createBalancer(upstream.config.lb, upstream.hosts, Math.random);
  return Array.from({ length: count }, (_, connection) => {
    const { hash } =
      answer === undefined
        ? { hash: undefined }
        : requestHash(answer.action?.hashPolicies ?? [], {
            headers: answer.request.headers,
            path: answer.path,
            remoteIp: "10.244.7.50",
            remoteAddress: `10.244.7.50:${40_000 + connection}`,
            localAddress: "10.96.7.1:80",
          });
    return balancer.pick(hash)?.name ?? "none";
  });
}

/** A client without a certificate of the mesh, passed on by a gateway: what the sidecar of each host it may reach says to it. */
export function beyondGateway(
  objects: readonly KubeObject[],
  namespace: string,
  mesh: Translation,
  cluster: string,
  call: Call,
): readonly Outcome[] {
  return (upstreamOf(mesh, cluster)?.hosts ?? []).map((host) => {
    if (host.address.kind !== "ip") return { error: "not an address" };
    const { ip, port } = host.address;
    const app = appAt(ip);
    // Without a sidecar the program itself answers.
    if (app === undefined || app === "naked") return {};
    const sidecar = translate(objects, "", echoNode(app, namespace));
    return simulateCall(sidecar, false, { ...call, address: ip, port, callMode: "inbound" });
  });
}
