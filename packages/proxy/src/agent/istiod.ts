/** Reaches istiod for one sidecar: resolves the target, reads token and root (both may be renewed on disk), opens a shared channel. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { MeshError } from "@argyle/core";
import { Metadata } from "@grpc/grpc-js";
import { AGENT_FILES, type AgentSpec } from "./agent-spec.ts";
import type { Channel, ChannelPool } from "./channel-pool.ts";

/** The gRPC target for `istiod.istio-system.svc:15012` as a pod of that namespace sees it. */
export type ConnectIstiod = (address: string, namespace: string) => Promise<string>;

export interface Call {
  readonly channel: Channel;
  readonly metadata: Metadata;
}

export async function callIstiod(
  spec: AgentSpec,
  address: string,
  namespace: string,
  connect: ConnectIstiod,
  channels: ChannelPool,
): Promise<Call> {
  const [target, rootPem, token] = await Promise.all([
    connect(address, namespace),
    readAgentFile(spec, AGENT_FILES.root),
    readAgentFile(spec, AGENT_FILES.token),
  ]);
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token.trim()}`);
  const serverName = address.slice(0, address.lastIndexOf(":"));
  return { metadata, channel: channels.acquire(target, serverName, rootPem) };
}

async function readAgentFile(spec: AgentSpec, path: string): Promise<string> {
  try {
    return await readFile(join(spec.rootfs, path), "utf8");
  } catch (cause) {
    throw new MeshError(`cannot read /${path} of the container`, { code: "proxy.agent.file", retryable: true, cause });
  }
}
