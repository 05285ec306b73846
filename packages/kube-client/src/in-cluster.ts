/**
 * The connection of a program that runs in a pod: the service account's mounted token and CA, and KUBERNETES_SERVICE_HOST/_PORT,
 * which the program's main.ts reads and passes.
 * Source: Kubernetes, "Accessing the Kubernetes API from a Pod".
 */
import { readFileSync } from "node:fs";
import { MeshError } from "@argyle/core";
import type { KubeConnection } from "./connection.ts";

export interface InClusterOptions {
  readonly host: string;
  readonly port: number | string;
  readonly tokenPath?: string;
  readonly caPath?: string;
}

const MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

export function inClusterConfig(options: InClusterOptions): KubeConnection {
  const caPath = options.caPath ?? `${MOUNT}/ca.crt`;
  const host = options.host.includes(":") ? `[${options.host}]` : options.host;
  try {
    return {
      server: `https://${host}:${options.port}`,
      ca: readFileSync(caPath, "utf8"),
      tokenFile: options.tokenPath ?? `${MOUNT}/token`,
    };
  } catch (cause) {
    throw new MeshError(`cannot read the cluster's CA at ${caPath}`, {
      code: "kube.in-cluster.no-ca",
      advice: "this program must run in a pod with a service account, or be given a kubeconfig",
      cause,
    });
  }
}
