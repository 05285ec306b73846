/** What the kubelet writes for one hosted istio-proxy container, as far as the agent reads it (ARCHITECTURE.md, "Proxy workers"). */
export interface AgentSpec {
  readonly podIP: string;
  /** Of pilot-agent: `proxy sidecar --domain …`. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Every volumeMount of the container is below it at its path. */
  readonly rootfs: string;
}

/** Files of the container that the agent reads, below the rootfs. */
export const AGENT_FILES = {
  token: "var/run/secrets/tokens/istio-token",
  root: "var/run/secrets/istio/root-cert.pem",
  labels: "etc/istio/pod/labels",
  annotations: "etc/istio/pod/annotations",
} as const;
