/**
 * The node's forward proxy in kube-proxy: its port and key live in `$RUN/http-proxy.json` and stay for the whole run, because running containers have them
 * in their environment; a restarted kube-proxy takes the same port again and tries until it gets it. It is up before the API server has answered, so that
 * the kubelet need not wait for long; a pod that is not known yet (its status is still on the way) is waited for.
 */
import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { type Clock, describeError, type Logger, MeshError, sleep } from "@argyle/core";
import {
  dialErrno,
  type HttpProxyAddress,
  isHttpProxyToken,
  readHttpProxyAddress,
  writeHttpProxyAddress,
} from "@argyle/pod-network";
import type { Forwarder } from "./forward.ts";
import { parseCredentials } from "./http-message.ts";
import { createHttpProxy } from "./http-proxy.ts";
import { decideForPod, type PodTargetDeps } from "./pod-target.ts";
import type { NetworkPod, Tables } from "./tables.ts";

export interface NodeHttpProxyOptions extends Omit<PodTargetDeps, "loadBalancerPorts"> {
  readonly tables: Pick<Tables, "podsByIp" | "routes">;
  readonly dial: Forwarder["dial"];
  readonly clock: Clock;
  readonly log: Logger;
}

export interface NodeHttpProxy {
  close(): void;
}

const LISTEN_RETRY_MS = 1000;
const POD_WAIT_MS = 3000;
const POD_POLL_MS = 20;

export function startNodeHttpProxy(options: NodeHttpProxyOptions): NodeHttpProxy {
  const { tables, clock, runDir } = options;
  const log = options.log.scope("http-proxy");
  const closing = new AbortController();
  const earlier = readHttpProxyAddress(runDir);
  const key = earlier?.key ?? randomBytes(32).toString("hex");
  const deps: PodTargetDeps = { ...options, loadBalancerPorts: () => loadBalancerPorts(tables) };

  const waitForPod = async (ip: string): Promise<NetworkPod | undefined> => {
    const until = clock.monotonic() + POD_WAIT_MS;
    for (;;) {
      const [pod] = tables.podsByIp.lookup(ip);
      if (pod !== undefined || clock.monotonic() >= until) return pod;
      await sleep(clock, POD_POLL_MS, closing.signal);
    }
  };

  const proxy = createHttpProxy<NetworkPod>({
    async authenticate(proxyAuthorization) {
      const credentials = parseCredentials(proxyAuthorization);
      if (credentials === undefined || !isHttpProxyToken(key, credentials.user, credentials.password)) return undefined;
      return waitForPod(credentials.user);
    },
    async dial(pod, to, clientPort, signal): Promise<Socket> {
      const source = { ip: pod.ip, port: clientPort };
      const target = await decideForPod(pod, source, to, deps);
      try {
        return await options.dial(target, source, signal);
      } catch (thrown) {
        const isSidecar = target.kind === "address" && target.dial.via === "out";
        if (!isSidecar || dialErrno(thrown) !== "ECONNREFUSED") throw thrown;
        const code = "kube-proxy.no-sidecar";
        throw new MeshError("the pod's sidecar does not serve", { code, retryable: true, cause: thrown });
      }
    },
    clock,
    log,
  });

  const listen = async () => {
    for (;;) {
      try {
        const address: HttpProxyAddress = { port: await proxy.listen(earlier?.port ?? 0), key };
        if (earlier === undefined) writeHttpProxyAddress(runDir, address);
        if (closing.signal.aborted) proxy.close();
        return;
      } catch (thrown) {
        log.error("the forward proxy for programs that are not Node has no port; trying again", {
          port: earlier?.port ?? 0,
          error: describeError(thrown),
        });
        await sleep(clock, LISTEN_RETRY_MS, closing.signal);
      }
    }
  };
  listen().catch((thrown: unknown) => {
    if (!closing.signal.aborted) log.error("no forward proxy", { error: describeError(thrown) });
  });

  return {
    close() {
      closing.abort(new Error("kube-proxy ends"));
      proxy.close();
    },
  };
}

function loadBalancerPorts(tables: Pick<Tables, "routes">): Readonly<Record<number, string>> {
  const ports: Record<number, string> = {};
  for (const { type, clusterIP, ports: own } of tables.routes.list()) {
    if (type !== "LoadBalancer" || clusterIP === undefined) continue;
    for (const { port } of own) ports[port] ??= clusterIP;
  }
  return ports;
}
