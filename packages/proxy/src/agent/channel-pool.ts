/**
 * gRPC channels to istiod, shared by all agents of a worker that dial the same target and trust the same root: one TLS connection,
 * one stream per sidecar. Each stream has its own token; the channel itself is nobody's.
 */
import { Client, credentials } from "@grpc/grpc-js";

export interface Channel {
  readonly client: Client;
  /** Give it back; the last one out closes it. */
  release(): void;
}

export interface ChannelPool {
  /** `target` in gRPC's form (`unix:/path`, `host:port`); `serverName` is checked against the certificate. */
  acquire(target: string, serverName: string, rootPem: string): Channel;
  size(): number;
}

const OPTIONS = {
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.min_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 2000,
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.max_receive_message_length": -1,
  "grpc.service_config_disable_resolution": 1,
  "grpc.enable_retries": 0,
  "grpc.enable_channelz": 0,
};

export function createChannelPool(): ChannelPool {
  const open = new Map<string, { readonly client: Client; users: number }>();
  return {
    size: () => open.size,
    acquire(target, serverName, rootPem) {
      const key = `${target}\n${serverName}\n${rootPem}`;
      let entry = open.get(key);
      if (entry === undefined) {
        const tls = credentials.createSsl(Buffer.from(rootPem));
        const names = { "grpc.ssl_target_name_override": serverName, "grpc.default_authority": serverName };
        entry = { client: new Client(target, tls, { ...OPTIONS, ...names }), users: 0 };
        open.set(key, entry);
      }
      const held = entry;
      held.users += 1;
      let isReleased = false;
      return {
        client: held.client,
        release() {
          if (isReleased) return;
          isReleased = true;
          held.users -= 1;
          if (held.users > 0) return;
          open.delete(key);
          held.client.close();
        },
      };
    },
  };
}
