/**
 * kube-proxy: makes sockets, DNS files and host ports follow the API. Each thing that is served has a key (`vip`, `out`, `host`, `dns`) and is
 * reconciled alone, with retries, so a busy port or a full disk holds up nothing else. While the API server is away the last state is
 * served on; after a restart sockets and files of the earlier run are taken over or removed.
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { isIPv4 } from "node:net";
import { join } from "node:path";
import { type Clock, describeError, errnoOf, type Logger } from "@argyle/core";
import {
  createEventRecorder,
  createInformer,
  createReconciler,
  type KubeClient,
  type Reconciler,
} from "@argyle/kube-client";
import { type EndpointSlice, type Pod, resourceOf, type Service } from "@argyle/kube-types";
import { authorityOf, type PodNetwork, parseIpRange, receiveProxyHeader } from "@argyle/pod-network";
import { createDnsFiles } from "./dns-files.ts";
import { createForwarder } from "./forward.ts";
import { conflictMessage, nameOf, refusalMessage, winnerOf } from "./host-port.ts";
import { createListeners } from "./listeners.ts";
import { startNodeHttpProxy } from "./node-http-proxy.ts";
import { decideOutbound, type OutboundDeps } from "./outbound.ts";
import type { ServiceRoute } from "./routes.ts";
import { createTables, type NetworkPod } from "./tables.ts";

export interface KubeProxyOptions {
  readonly client: KubeClient;
  readonly podNetwork: PodNetwork;
  readonly runDir: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  /** Default 10.96.0.0/12. */
  readonly serviceCidr?: string;
  /** LoadBalancer ports served under another number on the host: 8080 → 8081 when 8080 is busy, 0 for any free one. */
  readonly hostPortMap?: ReadonlyMap<number, number>;
}

export interface KubeProxy {
  /** Resolves when everything the API server has said so far was tried once. */
  readonly ready: Promise<void>;
  /** The host port on which a LoadBalancer or NodePort claim is served, by its wished number. */
  hostPort(wished: number): number | undefined;
  close(): Promise<void>;
}

const HEADER_TIMEOUT_MS = 5000;
const HOST_PORT_RETRY = { baseMs: 1000, maxMs: 30_000 };

export function startKubeProxy(options: KubeProxyOptions): KubeProxy {
  const { client, podNetwork, runDir, clock, random } = options;
  const log = options.log.scope("kube-proxy");
  const isServiceAddress = parseIpRange(options.serviceCidr ?? "10.96.0.0/12") ?? (() => false);
  const informerOf = <T extends Service | EndpointSlice | Pod>(kind: string) =>
    createInformer<T>({ client, resource: resourceOf(kind), clock, log, random });
  const services = informerOf<Service>("Service");
  const slices = informerOf<EndpointSlice>("EndpointSlice");
  const pods = informerOf<Pod>("Pod");
  const informers = [services, slices, pods];
  const events = createEventRecorder({ client, clock, log, random, component: "kube-proxy" });
  const tables = createTables({
    services,
    slices,
    pods,
    hostPortMap: options.hostPortMap ?? new Map(),
    onError: (thrown, key) => log.error("cannot read", { key, error: describeError(thrown) }),
  });
  const forwarder = createForwarder({ podNetwork, clock, log, random });
  const listeners = createListeners((key, error) => log.error("listener failed", { key, error: error.message }));
  const dnsFiles = createDnsFiles(join(runDir, "dns"));
  const outboundDeps: OutboundDeps = {
    podNetwork,
    dns: (file) => tables.dns.get(file)?.text,
    virtualPort: (ip, port) => tables.virtualPorts.get(`${ip}/${port}`),
    isServiceAddress,
    random,
  };
  const httpProxy = startNodeHttpProxy({
    ...outboundDeps,
    podNetwork,
    runDir,
    tables,
    exists: existsSync,
    dial: forwarder.dial,
    clock,
    log,
  });
  const told = new Map<string, string>();
  let reconcilers: Reconciler[] = [];
  let isClosed = false;

  const syncVirtualPort = async (key: string) => {
    const entry = tables.virtualPorts.get(key);
    // Without an endpoint there is no socket: the dialer says ECONNREFUSED at once, as a node's REJECT rule would.
    if (entry === undefined || entry.backends.length === 0) {
      await listeners.close(`vip ${key}`);
      return undefined;
    }
    if (listeners.has(`vip ${key}`)) return undefined;
    const backends = () => tables.virtualPorts.get(key)?.backends ?? [];
    await listeners.openPath(`vip ${key}`, podNetwork.socketPath(entry.ip, entry.port), (socket) => {
      void forwarder.forward({ socket }, { kind: "backends", name: key, backends });
    });
    return undefined;
  };

  const syncOutbound = async (ip: string) => {
    const pod = tables.podsByIp.lookup(ip)[0];
    const isOurs = pod !== undefined && !pod.hasProxy && podNetwork.isPodNetworkAddress(ip);
    if (!isOurs) await listeners.close(`out ${ip}`);
    else if (!listeners.has(`out ${ip}`))
      await listeners.openPath(
        `out ${ip}`,
        podNetwork.socketPath(ip, "out"),
        (socket) => void serveOutbound(socket, pod),
      );
    return undefined;
  };

  const serveOutbound = async (socket: Socket, pod: NetworkPod) => {
    socket.on("error", (error) => log.debug("a pod's connection broke", { pod: pod.name, error: error.message }));
    try {
      const header = await receiveProxyHeader(socket, { timeoutMs: HEADER_TIMEOUT_MS, clock });
      if (header.command === "LOCAL") {
        socket.destroy();
        return;
      }
      const { source, destination } = header;
      const authority = authorityOf(header);
      const target = await decideOutbound({ source, destination, authority }, pod.namespace, outboundDeps);
      if (target.kind === "refused")
        log.info("refused", { pod: `${pod.namespace}/${pod.name}`, reason: target.reason });
      await forwarder.forward({ socket, source: header.source, header }, target);
    } catch (thrown) {
      log.debug("no connection out", { pod: pod.name, error: describeError(thrown) });
      socket.destroy();
    }
  };

  const syncHostPort = async (portText: string) => {
    const claims = tables.hostPortClaims.lookup(portText);
    const winner = winnerOf(claims);
    const key = `host ${portText}`;
    if (winner === undefined) {
      await listeners.close(key);
      return undefined;
    }
    for (const claim of claims)
      if (claim !== winner) tell(claim.route, "HostPortConflict", conflictMessage(claim, winner), portText);
    if (listeners.has(key)) return undefined;
    const current = () => winnerOf(tables.hostPortClaims.lookup(portText));
    try {
      await listeners.openPort(key, winner.port, (socket) => {
        const source = { ip: socket.remoteAddress ?? "127.0.0.1", port: socket.remotePort ?? 0 };
        const backends = () => current()?.backends ?? [];
        void forwarder.forward({ socket, source }, { kind: "backends", name: key, backends });
      });
    } catch (thrown) {
      tell(winner.route, "HostPortNotServed", refusalMessage(winner, errnoOf(thrown)), portText);
      throw thrown;
    }
    told.delete(toldKey(winner.route, "HostPortNotServed", portText));
    const { servicePort, kind } = winner;
    log.info("host port served", { port: listeners.portOf(key), service: nameOf(winner), servicePort, kind });
    return undefined;
  };

  /** An Event on the Service, once per message and thing that it is about. */
  const tell = (route: ServiceRoute, reason: string, message: string, about = "") => {
    const key = toldKey(route, reason, about);
    if (told.get(key) === message) return;
    told.set(key, message);
    const { namespace, name, uid } = route;
    events.event({ apiVersion: "v1", kind: "Service", metadata: { namespace, name, uid } }, "Warning", reason, message);
    log.warn(message, { service: `${namespace}/${name}` });
  };

  const syncDns = async (file: string) => {
    const entry = tables.dns.get(file);
    if (entry === undefined) dnsFiles.remove(file);
    else dnsFiles.write(file, entry.text);
    return undefined;
  };

  const syncAffinity = async (key: string) => {
    const route = tables.routes.get(key);
    if (route?.wantsClientAffinity === true)
      tell(
        route,
        "SessionAffinityIgnored",
        "sessionAffinity ClientIP is not honoured: all clients of the host share one address. " +
          "Use a DestinationRule with consistentHash for sticky sessions",
      );
    return undefined;
  };

  /** Socket directories of virtual IPs that no Service has any more. */
  const removeStaleAddresses = () => {
    const wanted = new Set(tables.virtualPorts.list().map(({ ip }) => ip));
    for (const name of readdirSync(runDir))
      if (isIPv4(name) && isServiceAddress(name) && !wanted.has(name))
        rmSync(join(runDir, name), { recursive: true, force: true });
  };

  const start = async () => {
    await Promise.all(informers.map((informer) => informer.synced));
    if (isClosed) return;
    dnsFiles.retain(new Set(tables.dns.list().map(({ file }) => file)));
    removeStaleAddresses();
    const make = (
      name: string,
      reconcile: (key: string) => Promise<undefined>,
      backoff = { baseMs: 50, maxMs: 5000 },
    ) => {
      const reconciler = createReconciler({ name, clock, log, random, reconcile, backoff, concurrency: 8 });
      reconcilers.push(reconciler);
      return reconciler;
    };
    make("vip", syncVirtualPort).watch(tables.virtualPorts, ({ ip, port }) => [`${ip}/${port}`]);
    make("dns", syncDns).watch(tables.dns, ({ file }) => [file]);
    make("out", syncOutbound).watch(tables.pods, ({ ip }) => [ip]);
    make("host-port", syncHostPort, HOST_PORT_RETRY).watch(tables.hostPorts, ({ port }) => [String(port)]);
    make("affinity", syncAffinity).watch(tables.routes, ({ namespace, name }) => [`${namespace}/${name}`]);
    while (!isClosed && reconcilers.some((reconciler) => reconciler.size() > 0)) await nextTurn();
    log.info("following the API server", {
      virtualPorts: tables.virtualPorts.list().length,
      pods: tables.pods.list().length,
    });
  };
  const ready = start();
  ready.catch((thrown: unknown) => {
    if (!isClosed) log.error("did not start", { error: describeError(thrown) });
  });

  return {
    ready,
    hostPort: (wished) => listeners.portOf(`host ${options.hostPortMap?.get(wished) ?? wished}`),
    async close() {
      isClosed = true;
      httpProxy.close();
      await Promise.all(reconcilers.map((reconciler) => reconciler.close()));
      reconcilers = [];
      tables.close();
      await listeners.closeAll();
      forwarder.close();
      await events.close();
      await Promise.all(informers.map((informer) => informer.close()));
    },
  };
}

function toldKey(route: ServiceRoute, reason: string, about: string): string {
  return `${route.uid} ${reason} ${about}`;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
