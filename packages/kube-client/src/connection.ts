/**
 * How to reach an API server and as whom. Read from a kubeconfig (kubeconfig.ts) or from a pod's service account (in-cluster.ts),
 * used by rest.ts.
 */
import type { Socket } from "node:net";

export interface KubeConnection {
  /** `https://127.0.0.1:6443`; plain http only for tests. */
  readonly server: string;
  /** PEM. Without it the system's authorities decide. */
  readonly ca?: string;
  /** The name to verify instead of the server's host. */
  readonly tlsServerName?: string;
  /** Client certificate and key, PEM. */
  readonly cert?: string;
  readonly key?: string;
  readonly token?: string;
  /** Read anew for each request: projected tokens are rotated. */
  readonly tokenFile?: string;
}

export interface KubeClientOptions extends KubeConnection {
  readonly userAgent: string;
  /** Opens the byte stream to the server, for callers that do not reach it by TCP (pods). */
  readonly connect?: (address: { readonly host: string; readonly port: number }) => Promise<Socket>;
  /** For everything but watches. */
  readonly requestTimeoutMs?: number;
}
