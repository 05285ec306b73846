/** Opens the real sockets of bound listeners, for a proxy that runs alone: TCP or unix addresses, kept across listener updates. */
import { createServer, type Server, type Socket } from "node:net";
import { describeError } from "@argyle/core";
import { resetSocket } from "@argyle/pod-network";
import { type Address, formatAddress } from "./config/address.ts";
import type { ProxyServer } from "./proxy.ts";

export interface Bindings {
  /** Where a listener's first address is bound; with port 0 that is where it really listens. */
  addressOf(listener: string): { readonly ip: string; readonly port: number } | undefined;
  /** Resolves when the sockets of all listeners in force are open. */
  settled(): Promise<void>;
  close(): void;
}

interface Bound {
  readonly server: Server;
  readonly listener: string;
  readonly ready: Promise<void>;
}

export function bindListeners(proxy: ProxyServer): Bindings {
  const bound = new Map<string, Bound>();
  const update = () => {
    const wanted = new Map<string, { readonly listener: string; readonly address: Address }>();
    for (const [name, { config }] of proxy.listeners.active) {
      if (!config.bindsToPort) continue;
      for (const address of config.addresses)
        if (address.kind !== "internal") wanted.set(`${name} ${formatAddress(address)}`, { listener: name, address });
    }
    for (const [key, entry] of bound) {
      if (wanted.has(key)) continue;
      bound.delete(key);
      entry.server.close();
    }
    for (const [key, { listener, address }] of wanted) {
      if (!bound.has(key)) bound.set(key, open(proxy, listener, address));
    }
  };
  proxy.listeners.onChange(update);
  update();
  return {
    addressOf(listener) {
      for (const entry of bound.values()) {
        const address = entry.server.address();
        if (entry.listener === listener && typeof address === "object" && address !== null)
          return { ip: address.address, port: address.port };
      }
      return undefined;
    },
    settled: async () => {
      await Promise.all([...bound.values()].map((entry) => entry.ready));
    },
    close() {
      for (const entry of bound.values()) entry.server.close();
      bound.clear();
    },
  };
}

function open(proxy: ProxyServer, listener: string, address: Address): Bound {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => accept(proxy, listener, socket));
  const ready = new Promise<void>((resolve, reject) => {
    server.once("listening", () => resolve());
    server.once("error", reject);
  });
  server.on("error", (error) =>
    proxy.deps.log.error("cannot listen", { listener, address: formatAddress(address), error: describeError(error) }),
  );
  // The failure is logged; whoever waits for settled() gets it as well.
  ready.catch(() => undefined);
  if (address.kind === "pipe") server.listen({ path: address.path, backlog: 4096 });
  else if (address.kind === "ip") server.listen({ host: address.ip, port: address.port, backlog: 4096 });
  return { server, listener, ready };
}

function accept(proxy: ProxyServer, listener: string, socket: Socket): void {
  // A socket that breaks before its transport is there must not bring the process down.
  socket.on("error", () => undefined);
  proxy.listeners.accept(listener, {
    socket,
    peeked: Buffer.alloc(0),
    source: { ip: plainIp(socket.remoteAddress), port: socket.remotePort ?? 0 },
    destination: { ip: plainIp(socket.localAddress), port: socket.localPort ?? 0, authority: undefined },
    reset: () => resetSocket(socket),
  });
}

function plainIp(address: string | undefined): string {
  return address === undefined ? "127.0.0.1" : address.replace(/^::ffff:/, "");
}
