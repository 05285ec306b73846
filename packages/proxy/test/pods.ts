/** Sidecars on a pod network in a temporary directory, and what a captured program does; for tests of two proxies that meet. */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { silentLogger, systemClock } from "@argyle/core";
import { encodeProxyHeader, listenOnPath, type PodNetwork } from "@argyle/pod-network";
import { createRegistry } from "@argyle/telemetry";
import { acceptProxied } from "../src/io/accept.ts";
import { createTimerWheel } from "../src/io/timer-wheel.ts";
import { createProxy, type ProxyServer } from "../src/proxy.ts";
import { TYPE_URL } from "../src/resource-sink.ts";
import { createPodDialer } from "../src/upstream/dialer.ts";
import type { createAuthority } from "./authority.ts";
import type { TestScope } from "./harness.ts";

export interface PodResources {
  readonly clusters: readonly object[];
  readonly listeners: readonly object[];
  readonly routes: readonly object[];
  readonly endpoints: readonly object[];
}

export interface Pod {
  readonly proxy: ProxyServer;
}

export async function startPod(
  scope: TestScope,
  network: PodNetwork,
  runDir: string,
  ip: string,
  name: string,
  authority: Awaited<ReturnType<typeof createAuthority>>,
  resources: PodResources,
): Promise<Pod> {
  const wheel = createTimerWheel(systemClock);
  const proxy = createProxy({
    clock: systemClock,
    wheel,
    random: Math.random,
    uuid: () => "id",
    log: silentLogger,
    registry: createRegistry(),
    dialer: createPodDialer(network, ip),
    resolveName: async () => [],
    writeAccessLog: () => undefined,
    node: {
      id: `sidecar~${ip}~${name}.sock-shop~x`,
      cluster: name,
      metadata: {
        NAME: `${name}-1`,
        NAMESPACE: "sock-shop",
        WORKLOAD_NAME: name,
        CLUSTER_ID: "Kubernetes",
        LABELS: { version: "v1" },
      },
    },
  });
  const open = async (kind: "in" | "out") =>
    await listenOnPath(network.socketPath(ip, kind), (socket) => {
      socket.on("error", () => undefined);
      void acceptProxied(socket, systemClock, runDir).then((connection) => {
        if (connection === undefined) return;
        if (kind === "in") proxy.listeners.acceptInbound(connection);
        else proxy.listeners.acceptOutbound(connection);
      });
    });
  const servers = [await open("in"), await open("out")];
  scope.after(() => {
    for (const server of servers) server.close();
    proxy.close();
    wheel.close();
  });
  const give = (typeUrl: string, list: readonly object[]) => {
    const upserts = list.map((resource) => {
      const { name, cluster_name } = resource as { name?: string; cluster_name?: string };
      return { name: name ?? cluster_name ?? "", version: "1", resource };
    });
    assert.deepEqual(proxy.runtime.apply(typeUrl, upserts, []), []);
  };
  give(TYPE_URL.cluster, resources.clusters);
  give(TYPE_URL.listener, resources.listeners);
  assert.equal(proxy.runtime.isReady, false, "must wait for secrets, routes and endpoints");
  assert.ok((proxy.runtime.wanted(TYPE_URL.secret) as ReadonlySet<string>).has("default"));
  give(TYPE_URL.secret, await authority.secrets(`spiffe://cluster.local/ns/sock-shop/sa/${name}`));
  give(TYPE_URL.endpoint, resources.endpoints);
  give(TYPE_URL.route, resources.routes);
  assert.equal(proxy.runtime.isReady, true);
  return { proxy };
}

/** What the preload does: a connection to the pod's out.sock that says where it wants to go. */
export function fromProgram(
  network: PodNetwork,
  ip: string,
  destination: { ip: string; port: number },
  kind: "out" | "in" = "out",
  source = ip,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path: network.socketPath(ip, kind) });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.write(
        encodeProxyHeader({
          command: "PROXY",
          family: "TCP4",
          source: { ip: source, port: 40_000 },
          destination,
          tlvs: [],
        }),
      );
      resolve(socket);
    });
  });
}

export function collect(socket: Socket): { text: string; ended: boolean } {
  const seen = { text: "", ended: false };
  socket.on("data", (chunk) => {
    seen.text += chunk.toString("latin1");
  });
  socket.on("end", () => {
    seen.ended = true;
  });
  socket.on("error", () => {
    seen.ended = true;
  });
  return seen;
}
