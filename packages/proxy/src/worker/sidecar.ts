/**
 * One hosted istio-proxy container: a proxy on the pod's in.sock and out.sock, its admin and health pages, its agent. It is running when its
 * sockets are open; ready when the first configuration is in force.
 */
import { lookup } from "node:dns/promises";
import { readFileSync } from "node:fs";
import type { Server, Socket } from "node:net";
import { join } from "node:path";
import { type Clock, createLogger, errnoOf, type Logger, type LogLevel, MeshError, rfc3339 } from "@argyle/core";
import { listenOnPath, type PodNetwork } from "@argyle/pod-network";
import { createRegistry } from "@argyle/telemetry";
import { type AdminDeps, answerAdmin } from "../admin/admin.ts";
import { type ServedPage, servePage } from "../admin/serve.ts";
import { type Agent, type AgentShared, startAgent } from "../agent/agent.ts";
import { AGENT_FILES, type AgentSpec } from "../agent/agent-spec.ts";
import type { ConnectIstiod } from "../agent/istiod.ts";
import { describeWorkload } from "../agent/workload.ts";
import { createRandomUuid } from "../http/random-uuid.ts";
import { acceptProxied } from "../io/accept.ts";
import type { TimerWheel } from "../io/timer-wheel.ts";
import type { AcceptedConnection } from "../listener.ts";
import { createProxy, type ProxyServer } from "../proxy.ts";
import { ISTIO_BUILD } from "../stats/build-metric.ts";
import { createPodDialer } from "../upstream/dialer.ts";
import { fetchAppMetrics, parseAppMetrics } from "./app-metrics.ts";
import { openContainerLog } from "./container-log.ts";
import { answerMetrics, answerReadiness, answerStatus, type StatusPages } from "./status-pages.ts";

/** The file that the kubelet writes (ARCHITECTURE.md, "Proxy workers"). */
export interface SidecarSpec extends AgentSpec {
  readonly podUid: string;
  readonly containerName: string;
  readonly log: string;
}

export interface SidecarDeps {
  readonly network: PodNetwork;
  readonly runDir: string;
  /** Parent of each pod's held state; of this worker alone. */
  readonly heldDir: string;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly shared: AgentShared;
  readonly connectIstiod: ConnectIstiod;
  readonly log: Logger;
}

export interface Sidecar {
  readonly spec: SidecarSpec;
  readonly proxy: ProxyServer;
  /** No new connections; resolves when the open ones are done or the time is over. */
  drain(maxMs: number): Promise<void>;
  close(): void;
  /** Resolves when the first configuration is in force. */
  readonly ready: Promise<void>;
  /** Resolves when it ended by itself (quitquitquit): the container has exited, the worker and its other proxies go on. */
  readonly ended: Promise<void>;
}

const QUIT_DELAY_MS = 50;
const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

export async function startSidecar(spec: SidecarSpec, deps: SidecarDeps): Promise<Sidecar> {
  const { network, clock } = deps;
  const containerLog = openContainerLog(spec.log, clock, (error) =>
    deps.log.error("a container's log cannot be written, its lines are lost", { path: spec.log, error: String(error) }),
  );
  let level: LogLevel = "info";
  const log = levelled(
    createLogger({ scope: "envoy", clock, level: "debug", write: (line) => containerLog.write("stderr", line) }),
    () => level,
  );
  const { node, namespace } = describeWorkload(spec, {
    labels: readOptional(join(spec.rootfs, AGENT_FILES.labels)),
    annotations: readOptional(join(spec.rootfs, AGENT_FILES.annotations)),
  });
  const registry = createRegistry();
  registry
    .gauge(ISTIO_BUILD)
    .cell("proxy", String(node.metadata?.ISTIO_VERSION ?? "unknown"))
    .set(1);
  const proxy = createProxy({
    clock,
    wheel: deps.wheel,
    random: Math.random,
    uuid: createRandomUuid(),
    log,
    registry,
    dialer: createPodDialer(network, spec.podIP),
    resolveName: (name) => resolveName(network, name, namespace),
    writeAccessLog: (path, line) => containerLog.write(path === "/dev/stderr" ? "stderr" : "stdout", line),
    node: { id: node.id, cluster: node.cluster ?? "", metadata: { ...node.metadata } },
  });

  const servers: Server[] = [];
  const pages: ServedPage[] = [];
  let isClosed = false;
  const listen = async (name: "in" | "out", take: (connection: AcceptedConnection) => void) => {
    const onConnection = (socket: Socket) => {
      // A socket that breaks before its transport is there must not bring the worker down.
      socket.on("error", () => undefined);
      acceptProxied(socket, clock, deps.runDir).then(
        (connection) => {
          if (connection !== undefined) take(connection);
        },
        (error: unknown) => {
          log.warn("cannot accept", { error: String(error) });
          socket.destroy();
        },
      );
    };
    servers.push(await listenOnPath(network.socketPath(spec.podIP, name), onConnection));
  };
  const close = () => {
    if (isClosed) return;
    isClosed = true;
    agent.close();
    for (const server of servers) server.close();
    for (const page of pages) page.close();
    proxy.close();
    containerLog.close();
  };
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  // After the answer has been written.
  const quit = () =>
    void clock.after(QUIT_DELAY_MS, () => {
      close();
      end();
    });
  const agent = startAgent({
    spec,
    sink: proxy.runtime,
    connect: deps.connectIstiod,
    heldDirectory: join(deps.heldDir, spec.podUid),
    shared: deps.shared,
    clock,
    log,
  });
  try {
    // Whoever comes in finds the configuration of before, not none.
    await agent.restored;
    await Promise.all([
      listen("in", (connection) => proxy.listeners.acceptInbound(connection)),
      listen("out", (connection) => proxy.listeners.acceptOutbound(connection)),
      ...openPages(
        spec,
        proxy,
        network,
        {
          get: () => level,
          set: (wanted) => {
            const found = LEVELS.find(
              (candidate) => candidate === (wanted === "warning" ? "warn" : wanted === "trace" ? "debug" : wanted),
            );
            if (found !== undefined) level = found;
            return found !== undefined;
          },
        },
        agent,
        quit,
      ).map(async (page) => void pages.push(await page)),
    ]);
  } catch (error) {
    close();
    throw error;
  }
  log.info("proxy started", { pod: spec.podIP, at: rfc3339(clock.now()) });

  return {
    spec,
    proxy,
    async drain(maxMs) {
      for (const server of servers) server.close();
      proxy.listeners.drain();
      const deadline = clock.monotonic() + maxMs;
      while (proxy.listeners.connections > 0 && clock.monotonic() < deadline)
        await new Promise<void>((resolve) => clock.after(50, resolve, { unref: true }));
    },
    close,
    ready: agent.ready,
    ended,
  };
}

function openPages(
  spec: SidecarSpec,
  proxy: ProxyServer,
  network: PodNetwork,
  logLevel: AdminDeps["logLevel"],
  agent: Agent,
  quit: () => void,
): readonly Promise<ServedPage>[] {
  const path = (port: number) => network.socketPath(spec.podIP, port);
  const app = parseAppMetrics(spec.env.ISTIO_PROMETHEUS_ANNOTATIONS);
  const pages: StatusPages = {
    registry: proxy.deps.registry,
    isReady: () => proxy.runtime.isReady && agent.status().isReady,
    agent: () => agent.status(),
    appMetrics: async () => (app === undefined ? undefined : await fetchAppMetrics(network, spec.podIP, app)),
    quit,
  };
  return [
    servePage(path(15_000), (method, target) => answerAdmin({ proxy, logLevel, quit }, method, target)),
    servePage(path(15_020), (method, target) => answerStatus(pages, method, target)),
    servePage(path(15_021), (_method, target) => answerReadiness(pages, target)),
    servePage(path(15_090), (_method, target) => answerMetrics(pages, target)),
  ];
}

async function resolveName(network: PodNetwork, name: string, namespace: string): Promise<readonly string[]> {
  const resolution = await network.resolve(name, namespace);
  switch (resolution.kind) {
    case "found":
      return resolution.addresses;
    case "unknown":
      throw new MeshError(`no such name ${name}`, { code: "proxy.upstream.name-not-found", origin: "upstream" });
    case "external":
      return (await lookup(name, { all: true, family: 4 })).map(({ address }) => address);
  }
}

function readOptional(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return "";
    throw error;
  }
}

/** /logging changes the level while the proxy runs. */
function levelled(log: Logger, level: () => LogLevel): Logger {
  const passes = (of: LogLevel) => LEVELS.indexOf(of) >= LEVELS.indexOf(level());
  return {
    debug: (message, fields) => void (passes("debug") && log.debug(message, fields)),
    info: (message, fields) => void (passes("info") && log.info(message, fields)),
    warn: (message, fields) => void (passes("warn") && log.warn(message, fields)),
    error: (message, fields) => log.error(message, fields),
    scope: (name) => levelled(log.scope(name), level),
  };
}
