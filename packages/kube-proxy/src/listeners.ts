/**
 * The servers that are open, by key. Opening and closing of one key happen one after the other (the reconciler's guarantee), so a path is
 * free again before it is bound anew. Closing a server leaves its established connections alone.
 */
import { createServer, type Server, type Socket } from "node:net";
import { listenOnPath } from "@argyle/pod-network";

export interface Listeners {
  has(key: string): boolean;
  openPath(key: string, path: string, onConnection: (socket: Socket) => void): Promise<void>;
  openPort(key: string, port: number, onConnection: (socket: Socket) => void): Promise<void>;
  /** The port that a key is bound to. */
  portOf(key: string): number | undefined;
  close(key: string): Promise<void>;
  closeAll(): Promise<void>;
}

const BACKLOG = 4096;
const HOST = "127.0.0.1";

export function createListeners(onError: (key: string, error: Error) => void): Listeners {
  const servers = new Map<string, Server>();
  const adopt = (key: string, server: Server) => {
    server.on("error", (error) => onError(key, error));
    servers.set(key, server);
  };
  const close = async (key: string) => {
    const server = servers.get(key);
    if (server === undefined) return;
    servers.delete(key);
    // Not awaited: the callback comes when the last connection has ended; the listening socket itself is closed at once.
    server.close();
  };
  return {
    has: (key) => servers.has(key),
    async openPath(key, path, onConnection) {
      adopt(key, await listenOnPath(path, onConnection, { backlog: BACKLOG, pauseOnConnect: true }));
    },
    async openPort(key, port, onConnection) {
      const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, onConnection);
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen({ host: HOST, port, backlog: BACKLOG, exclusive: true }, () => {
          server.off("error", reject);
          resolve();
        });
      });
      adopt(key, server);
    },
    portOf(key) {
      const address = servers.get(key)?.address();
      return typeof address === "object" ? address?.port : undefined;
    },
    close,
    async closeAll() {
      await Promise.all([...servers.keys()].map(close));
    },
  };
}
