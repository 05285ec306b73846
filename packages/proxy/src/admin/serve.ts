/** Puts a page function on sockets, with Node's HTTP server: these pages are not on the data path. */
import { createServer, type Server as HttpServer } from "node:http";
import type { Server } from "node:net";
import { describeError } from "@argyle/core";
import { listenOnPath } from "@argyle/pod-network";
import type { AdminResponse } from "./admin.ts";

export type Answer = (method: string, target: string) => AdminResponse | Promise<AdminResponse>;

export interface ServedPage {
  close(): void;
}

export function createPageServer(answer: Answer): HttpServer {
  return createServer((request, response) => {
    request.resume();
    const reply = async () => answer(request.method ?? "GET", request.url ?? "/");
    reply().then(
      ({ status, type, body }) => {
        response.writeHead(status, { "content-type": type, "cache-control": "no-cache, max-age=0", server: "envoy" });
        response.end(body);
      },
      (error: unknown) => {
        response.writeHead(500, { "content-type": "text/plain" });
        response.end(`${describeError(error)}\n`);
      },
    );
  });
}

export async function servePage(path: string, answer: Answer): Promise<ServedPage> {
  const http = createPageServer(answer);
  const server: Server = await listenOnPath(
    path,
    (socket) => {
      socket.resume();
      http.emit("connection", socket);
    },
    { allowHalfOpen: true },
  );
  return {
    close() {
      server.close();
      http.closeAllConnections();
    },
  };
}
