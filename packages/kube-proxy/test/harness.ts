/** kube-proxy on real sockets in a temporary directory, fed by the in-memory API; programs and sidecars are small servers. */
import { readFileSync, rmSync } from "node:fs";
import { connect, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { silentLogger, systemClock } from "@argyle/core";
import { type Event, type KubeObject, type Pod, resourceOf, type Service, type ServiceSpec } from "@argyle/kube-types";
import {
  authorityTlv,
  createPodNetwork,
  encodeProxyHeader,
  listenOnPath,
  type PodNetwork,
  proxyHeader,
  receiveProxyHeader,
} from "@argyle/pod-network";
import { tempDir } from "@argyle/testkit";
import { createMemoryApi, type MemoryApi } from "../../kube-client/test/memory-api.ts";
import { type KubeProxy, type KubeProxyOptions, startKubeProxy } from "../src/kube-proxy.ts";

export interface Harness {
  readonly api: MemoryApi;
  readonly proxy: KubeProxy;
  readonly podNetwork: PodNetwork;
  readonly runDir: string;
  dns(file: string): string | undefined;
  events(reason: string): readonly string[];
  /** A program that answers `<label> <what it was sent>` when its client has ended. */
  echo(ip: string, port: number, label: string): Promise<Server>;
  /** The same behind an in.sock that reads a PROXY header; answers with the source address too. */
  sidecar(ip: string, label: string): Promise<Server>;
  /** Sends through a pod's out.sock. */
  viaPod(podIp: string, to: { ip?: string; port: number; authority?: string }, text: string): Promise<string>;
  restart(): Promise<Harness>;
}

interface Scope {
  after(fn: () => void | Promise<void>): void;
}

export async function startHarness(
  t: Scope,
  more: Partial<KubeProxyOptions> = {},
  reuse?: { readonly api: MemoryApi; readonly runDir: string },
): Promise<Harness> {
  const runDir = reuse?.runDir ?? tempDir(t);
  const api = reuse?.api ?? createMemoryApi({ clock: systemClock });
  const podNetwork = createPodNetwork({ runDir });
  const proxy = startKubeProxy({
    client: api.client,
    podNetwork,
    runDir,
    clock: systemClock,
    log: silentLogger,
    random: () => 0,
    ...more,
  });
  let isClosed = false;
  const close = async () => {
    if (isClosed) return;
    isClosed = true;
    await proxy.close();
  };
  t.after(close);
  await proxy.ready;

  const serve = async (path: string, answer: (socket: Socket) => Promise<string>): Promise<Server> => {
    rmSync(path, { force: true });
    const server = await listenOnPath(path, (socket) => {
      socket.on("error", () => undefined);
      answer(socket).then(
        (text) => socket.end(text),
        () => socket.destroy(),
      );
    });
    t.after(() => void server.close());
    return server;
  };

  return {
    api,
    proxy,
    podNetwork,
    runDir,
    dns(file) {
      try {
        return readFileSync(join(runDir, "dns", file), "utf8");
      } catch {
        return undefined;
      }
    },
    events: (reason) =>
      api
        .all<Event>(resourceOf("Event", ""))
        .filter((event) => event.reason === reason)
        .map((event) => event.message ?? ""),
    echo: (ip, port, label) =>
      serve(podNetwork.socketPath(ip, port), async (socket) => `${label} ${await readAll(socket)}`),
    sidecar: (ip, label) =>
      serve(podNetwork.socketPath(ip, "in"), async (socket) => {
        const header = await receiveProxyHeader(socket, { timeoutMs: 1000 });
        socket.resume();
        const text = await readAll(socket);
        if (header.command === "LOCAL") return `${label} local`;
        return `${label} from ${header.source.ip} to ${header.destination.ip}:${header.destination.port} ${text}`;
      }),
    async viaPod(podIp, to, text) {
      const socket = await open({ path: podNetwork.socketPath(podIp, "out") });
      const tlvs = to.authority === undefined ? [] : [authorityTlv(to.authority)];
      const destination = { ip: to.ip ?? "0.0.0.0", port: to.port };
      socket.write(encodeProxyHeader(proxyHeader({ ip: podIp, port: 40000 }, destination, tlvs)));
      return exchange(socket, text);
    },
    async restart() {
      await close();
      return startHarness(t, more, { api, runDir });
    },
  };
}

export function open(
  to: { readonly path: string } | { readonly port: number; readonly host: string },
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...to, allowHalfOpen: true }, () => {
      socket.off("error", reject);
      resolve(socket);
    });
    socket.once("error", reject);
  });
}

/** Sends a text, ends, and returns everything that comes back. */
export function exchange(socket: Socket, text: string): Promise<string> {
  socket.end(text);
  return readAll(socket);
}

export function readAll(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.on("end", () => resolve(text));
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("closed without an end")));
  });
}

export async function addService(api: MemoryApi, name: string, spec: ServiceSpec): Promise<void> {
  const service: Service = { apiVersion: "v1", kind: "Service", metadata: { name, namespace: "a" }, spec };
  await api.client.create(resourceOf("Service"), service);
}

/** Sets the one slice of a Service. */
export async function setEndpoints(
  api: MemoryApi,
  name: string,
  port: number,
  ips: readonly string[],
  portName = "",
): Promise<void> {
  const resource = resourceOf("EndpointSlice");
  const slice = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${name}-s`, namespace: "a", labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    ports: [{ name: portName, port }],
    endpoints: ips.map((ip) => ({ addresses: [ip], conditions: { ready: true } })),
  } satisfies KubeObject & Record<string, unknown>;
  if ((await api.client.find(resource, slice.metadata)) === undefined) await api.client.create(resource, slice);
  else await api.client.replace(resource, slice);
}

export async function addPod(api: MemoryApi, name: string, podIP: string, containers = ["app"]): Promise<void> {
  const pod: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "a" },
    spec: { containers: containers.map((container) => ({ name: container, image: "i" })) },
    status: { phase: "Running", podIP },
  };
  await api.client.create(resourceOf("Pod"), pod);
}
