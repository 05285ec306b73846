/** What an API server is started with and what it offers to the process that started it. No environment, no globals. */
import type { Duplex } from "node:stream";
import type { Clock, Logger } from "@argyle/core";
import type { Loopback } from "./loopback.ts";
import type { ClusterPki, KeyPair } from "./pki.ts";

/** Opens a byte stream to a host and port of the pod network: a Service name, a virtual IP, a pod IP, or plain TCP. */
export type DialService = (host: string, port: number) => Promise<Duplex>;

export interface ApiServerOptions {
  /** `$STATE`: holds pki/, store/, kubeconfig. */
  readonly stateDir: string;
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** The parsed `dist/assets/schemas.json`. */
  readonly assets: unknown;
  readonly clock: Clock;
  readonly log: Logger;
  readonly dialService: DialService;
  /** Node name that the kubelet's certificate is issued for. Default `argyle`. */
  readonly nodeName?: string;
}

export interface ApiServer {
  readonly url: string;
  readonly port: number;
  readonly pki: ClusterPki;
  /** Files written for clients: the admin's kubeconfig and one per component. */
  readonly kubeconfigs: KubeconfigPaths;
  /** For a client in this process, known as the certificate's user. */
  loopback(as: KeyPair, userAgent: string): Loopback;
  /** Ends watches and streams, makes the store durable, frees the port. */
  close(): Promise<void>;
}

export interface KubeconfigPaths {
  readonly admin: string;
  readonly kubelet: string;
  readonly kubeProxy: string;
  readonly controllers: string;
}
