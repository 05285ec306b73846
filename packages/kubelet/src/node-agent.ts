/** Registers the Node and keeps it alive: status at start, then a Lease renewed every 10 s, as the kubelet's heartbeat. */
import { readFileSync } from "node:fs";
import { arch, cpus, hostname, platform, release, totalmem } from "node:os";
import { type Clock, describeError, type Logger, rfc3339, sleep } from "@argyle/core";
import { isAlreadyExists, type KubeClient } from "@argyle/kube-client";
import { type Lease, type Node, resourceOf } from "@argyle/kube-types";
import { buildNode, type HostFacts } from "./node-object.ts";

export interface NodeAgent {
  close(): Promise<void>;
}

const HEARTBEAT_MS = 10_000;
const LEASE_SECONDS = 40;
const LEASE_NAMESPACE = "kube-node-lease";

export function readHostFacts(nodeName: string, hostIP: string): HostFacts {
  return {
    nodeName,
    hostIP,
    cpus: cpus().length,
    memoryBytes: totalmem(),
    kernelVersion: release(),
    osImage: readOsName(),
    platform: platform(),
    architecture: arch(),
    machineId: hostname(),
  };
}

/** Resolves when the Node is registered; heartbeats go on until close. */
export async function startNodeAgent(
  facts: HostFacts,
  kubeletPort: number,
  client: KubeClient,
  clock: Clock,
  log: Logger,
): Promise<NodeAgent> {
  const abort = new AbortController();
  await register(facts, kubeletPort, client, clock);
  const beat = async () => {
    for (;;) {
      try {
        await renewLease(facts.nodeName, client, clock);
      } catch (error) {
        log.debug("cannot renew the node lease", { error: describeError(error) });
      }
      try {
        await sleep(clock, HEARTBEAT_MS, abort.signal);
      } catch {
        return; // closed
      }
    }
  };
  const running = beat();
  return {
    async close() {
      abort.abort();
      await running;
    },
  };
}

async function register(facts: HostFacts, port: number, client: KubeClient, clock: Clock): Promise<void> {
  const nodes = resourceOf("Node", "");
  const ref = { name: facts.nodeName };
  const old = await client.find<Node>(nodes, ref);
  const node = buildNode(facts, port, clock.now(), old);
  if (old === undefined) {
    try {
      await client.create(nodes, node);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  } else {
    await client.patch(nodes, ref, "merge", { metadata: { labels: node.metadata.labels } });
  }
  await client.patch(nodes, ref, "merge", { status: node.status }, { subresource: "status" });
}

async function renewLease(name: string, client: KubeClient, clock: Clock): Promise<void> {
  const leases = resourceOf("Lease");
  const renewTime = rfc3339(clock.now()).replace("Z", "000Z");
  const ref = { namespace: LEASE_NAMESPACE, name };
  if ((await client.find<Lease>(leases, ref)) !== undefined) {
    await client.patch(leases, ref, "merge", { spec: { renewTime } });
    return;
  }
  await client.create(leases, {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: ref,
    spec: { holderIdentity: name, leaseDurationSeconds: LEASE_SECONDS, renewTime },
  });
}

function readOsName(): string {
  try {
    const name = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync("/etc/os-release", "utf8"));
    return name?.[1] ?? platform();
  } catch {
    return platform(); // macOS has no such file
  }
}
