/** The Node object as this kubelet reports it, pure. Source: Kubernetes API reference, NodeStatus. */
import { KUBERNETES_VERSION, rfc3339Seconds } from "@argyle/core";
import type { Node, NodeCondition } from "@argyle/kube-types";
import type { NodeFacts } from "./downward.ts";

export interface HostFacts extends NodeFacts {
  readonly kernelVersion: string;
  readonly osImage: string;
  readonly platform: string;
  readonly architecture: string;
  readonly machineId: string;
}

const MAX_PODS = "250";

export function buildNode(facts: HostFacts, kubeletPort: number, now: number, old: Node | undefined): Node {
  const architecture = facts.architecture === "x64" ? "amd64" : facts.architecture;
  const capacity = {
    cpu: String(facts.cpus),
    memory: `${Math.floor(facts.memoryBytes / 1024)}Ki`,
    pods: MAX_PODS,
    "ephemeral-storage": "100Gi",
  };
  const version = KUBERNETES_VERSION.gitVersion;
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name: facts.nodeName,
      labels: {
        "kubernetes.io/hostname": facts.nodeName,
        // Programs run as if on Linux wherever we are: nodeSelectors of manifests say linux.
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": architecture,
        "beta.kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": architecture,
        "node-role.kubernetes.io/control-plane": "",
      },
    },
    spec: { podCIDR: "10.244.0.0/16", podCIDRs: ["10.244.0.0/16"], providerID: `argyle://${facts.nodeName}` },
    status: {
      addresses: [
        { type: "InternalIP", address: facts.hostIP },
        { type: "Hostname", address: facts.nodeName },
      ],
      capacity,
      allocatable: capacity,
      conditions: buildConditions(now, old?.status?.conditions ?? []),
      daemonEndpoints: { kubeletEndpoint: { Port: kubeletPort } },
      nodeInfo: {
        machineID: facts.machineId,
        systemUUID: facts.machineId,
        bootID: facts.machineId,
        kernelVersion: facts.kernelVersion,
        osImage: facts.osImage,
        containerRuntimeVersion: "argyle://0.1.0",
        kubeletVersion: version,
        kubeProxyVersion: version,
        operatingSystem: facts.platform,
        architecture,
      },
    },
  };
}

const CONDITIONS = [
  { type: "MemoryPressure", status: "False", reason: "KubeletHasSufficientMemory" },
  { type: "DiskPressure", status: "False", reason: "KubeletHasNoDiskPressure" },
  { type: "PIDPressure", status: "False", reason: "KubeletHasSufficientPID" },
  { type: "Ready", status: "True", reason: "KubeletReady" },
] as const;

function buildConditions(now: number, old: readonly NodeCondition[]): readonly NodeCondition[] {
  return CONDITIONS.map((condition) => {
    const before = old.find((c) => c.type === condition.type);
    const since = before?.status === condition.status ? before.lastTransitionTime : undefined;
    return {
      ...condition,
      message:
        condition.type === "Ready" ? "kubelet is posting ready status" : `kubelet has ${condition.reason.slice(10)}`,
      lastHeartbeatTime: rfc3339Seconds(now),
      lastTransitionTime: since ?? rfc3339Seconds(now),
    };
  });
}
