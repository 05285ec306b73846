/** What a kubelet is given by its composition root. Everything that reaches outside the process is in here. */
import type { Clock, Logger } from "@argyle/core";
import type { KubeClient } from "@argyle/kube-client";
import type { PodNetwork } from "@argyle/pod-network";
import type { ImageIndex } from "./image-index.ts";
import type { ProcessSupervisor } from "./process-supervisor.ts";

export interface KubeletOptions {
  readonly client: KubeClient;
  readonly podNetwork: PodNetwork;
  readonly supervisor: ProcessSupervisor;
  readonly imageIndex: ImageIndex;
  readonly stateDir: string;
  readonly runDir: string;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** dist/preload.cjs */
  readonly preloadPath: string;
  /** The host's environment: PATH, HOME, LANG … of pods come from here (never read from process.env in this package). */
  readonly hostEnv: Readonly<Record<string, string | undefined>>;
  /** PEM. Without it the kubelet has no server (tests of other parts). */
  readonly serving?: KubeletServing;
  /** Address of the node; default 127.0.0.1. */
  readonly hostIP?: string;
  readonly random?: () => number;
}

export interface KubeletServing {
  readonly key: string;
  readonly cert: string;
  /** Clients must show a certificate of this CA. */
  readonly clientCa: string;
  /** Default 0: a free port, published in Node.status.daemonEndpoints. */
  readonly port?: number;
}

export interface Kubelet {
  /** Of the kubelet API; 0 without `serving`. */
  readonly port: number;
  /** Stops watching and serving. Containers go on running and are adopted by the next kubelet. */
  close(): Promise<void>;
}
