/**
 * The composition root of the cluster process: API server, controllers, kubelet, top to bottom. Each is given its own client, which sends the API server
 * the text that it would send over HTTPS, so nothing here reaches around the API; the process may die at any time and adopts its pods when it is back.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type KeyPair, startApiServer } from "@argyle/apiserver";
import { startControllers } from "@argyle/controllers";
import type { Clock, Logger } from "@argyle/core";
import { createKubeClientOver } from "@argyle/kube-client";
import { loadImageIndex, startKubelet } from "@argyle/kubelet";
import { createPodNetwork } from "@argyle/pod-network";
import { connectSupervisor } from "@argyle/supervisor";
import { HOST } from "./ports.ts";

export interface ClusterOptions {
  readonly stateDir: string;
  readonly runDir: string;
  readonly apiPort: number;
  /** Where the bundles and assets are: dist/. */
  readonly distDir: string;
  readonly hostEnv: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Cluster {
  close(): Promise<void>;
}

const NODE_NAME = "argyle";
const DIAL_TIMEOUT_MS = 10_000;

export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { stateDir, runDir, distDir, clock, log } = options;
  const podNetwork = createPodNetwork({ runDir });
  const supervisor = await connectSupervisor(join(runDir, "supervisor.sock"));

  const apiserver = await startApiServer({
    stateDir,
    host: HOST,
    port: options.apiPort,
    assets: JSON.parse(readFileSync(join(distDir, "assets/schemas.json"), "utf8")),
    clock,
    log: log.scope("apiserver"),
    nodeName: NODE_NAME,
    dialService: (host, port) => podNetwork.dial({ host, port, namespace: "default", timeoutMs: DIAL_TIMEOUT_MS }),
  });
  const clientOf = (as: KeyPair, name: string) => createKubeClientOver(apiserver.loopback(as, name), name);
  const controllersClient = clientOf(apiserver.pki.controllers, "argyle-controllers");
  const controllers = await startControllers({
    client: controllersClient,
    clusterCa: apiserver.pki.caCertPem,
    clock,
    log: log.scope("controllers"),
    random: Math.random,
  });

  const kubeletClient = clientOf(apiserver.pki.kubelet, "argyle-kubelet");
  const kubelet = await startKubelet({
    client: kubeletClient,
    podNetwork,
    supervisor,
    imageIndex: loadImageIndex(distDir),
    stateDir,
    runDir,
    nodeName: NODE_NAME,
    clock,
    log: log.scope("kubelet"),
    preloadPath: join(distDir, "preload.cjs"),
    hostEnv: options.hostEnv,
    serving: {
      key: apiserver.pki.kubelet.keyPem,
      cert: apiserver.pki.kubelet.certPem,
      clientCa: apiserver.pki.caCertPem,
    },
  });
  log.info("cluster is up", { api: apiserver.url, kubeletPort: kubelet.port });
  return {
    async close() {
      await kubelet.close();
      await controllers.close();
      kubeletClient.close();
      controllersClient.close();
      supervisor.close();
      await apiserver.close();
    },
  };
}
