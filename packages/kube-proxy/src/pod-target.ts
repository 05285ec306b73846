/**
 * Where a connection of a program without the preload goes: exactly where the preload would have sent it (its router decides), because the mesh must not
 * depend on the program's language. Loopback and the pod's own address are the pod; everything captured goes by the pod's out.sock, where its sidecar
 * decides; for a pod without one we are the one who would read out.sock, so the decision is taken here and its reason reaches the client.
 */
import type { PodNetwork } from "@argyle/pod-network";
import { buildPreloadConfig, createRouter } from "@argyle/pod-network";
import type { Source, Target } from "./forward.ts";
import type { ProxyDestination } from "./http-message.ts";
import { decideOutbound, type OutboundDeps } from "./outbound.ts";
import type { NetworkPod } from "./tables.ts";

export interface PodTargetDeps extends OutboundDeps {
  readonly podNetwork: PodNetwork;
  readonly runDir: string;
  readonly exists: (path: string) => boolean;
  readonly loadBalancerPorts: () => Readonly<Record<number, string>>;
}

const MAX_ALIASES = 8;

export async function decideForPod(
  pod: NetworkPod,
  source: Source,
  to: ProxyDestination,
  deps: PodTargetDeps,
): Promise<Target> {
  const { podNetwork, runDir } = deps;
  const podDir = podNetwork.podDir(pod.ip);
  const router = createRouter(
    buildPreloadConfig({
      runDir,
      podDir,
      podIP: pod.ip,
      podName: pod.name,
      namespace: pod.namespace,
      annotations: pod.annotations,
      loadBalancerPorts: deps.loadBalancerPorts(),
    }),
    { exists: deps.exists, readName: deps.dns },
  );
  const host = await followAliases(to.host, pod.namespace, deps);
  const route = router.route(host, to.port);
  switch (route.kind) {
    case "not-found":
      return { kind: "refused", reason: `no such name in the cluster, or no pod of it is ready: ${host}` };
    case "host":
      return { kind: "address", dial: { host, port: to.port, namespace: pod.namespace } };
    case "socket": {
      if (route.path !== podNetwork.socketPath(pod.ip, "out")) {
        const ip = route.peer.ip === "127.0.0.1" ? pod.ip : route.peer.ip;
        return { kind: "address", dial: { host: ip, port: to.port, from: source } };
      }
      const { destination, authority } = route.header ?? { destination: route.peer };
      const asked = authority === undefined ? {} : { authority };
      if (pod.hasProxy) {
        const { ip, port } = destination;
        return { kind: "address", dial: { host: ip, port, via: "out", from: source, ...asked } };
      }
      return decideOutbound({ source, destination, authority }, pod.namespace, deps);
    }
  }
}

/** An ExternalName Service is what its name says; a resolver of the program would have followed it. */
async function followAliases(first: string, namespace: string, deps: PodTargetDeps): Promise<string> {
  let name = first;
  for (let i = 0; i < MAX_ALIASES; i++) {
    const resolution = await deps.podNetwork.resolve(name, namespace);
    const alias = resolution.kind === "found" ? /^CNAME (\S+)/.exec(deps.dns(resolution.name) ?? "")?.[1] : undefined;
    if (alias === undefined) return name;
    name = alias;
  }
  return name;
}
