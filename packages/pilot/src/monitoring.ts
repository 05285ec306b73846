/** istiod's HTTP pages: /metrics, /version, /ready and /debug on the monitoring port (15014), /ready on 8080. */
import { createServer } from "node:http";
import { describeError, ISTIO_VERSION, type Logger } from "@argyle/core";

export interface MonitoringOptions {
  readonly log: Logger;
  isReady(): boolean;
  metrics(): string;
  /** A /debug page; undefined: there is none. */
  debug(url: URL): { readonly status: number; readonly json: unknown } | undefined;
}

export interface MonitoringServer {
  listen(port: number, host: string): Promise<number>;
  close(): Promise<void>;
}

export function createMonitoringServer(options: MonitoringOptions): MonitoringServer {
  const server = createServer((request, response) => {
    const reply = (status: number, type: string, body: string) => {
      response.writeHead(status, { "content-type": type });
      response.end(body);
    };
    try {
      const url = new URL(request.url ?? "/", "http://istiod");
      switch (url.pathname) {
        case "/ready":
          return options.isReady() ? reply(200, "text/plain", "") : reply(503, "text/plain", "not synced yet\n");
        case "/version":
          return reply(200, "text/plain", `${ISTIO_VERSION}-argyle\n`);
        case "/metrics":
          return reply(200, "text/plain; version=0.0.4; charset=utf-8", options.metrics());
        default: {
          const page = options.debug(url);
          return page === undefined
            ? reply(404, "text/plain", "not found\n")
            : reply(page.status, "application/json", `${JSON.stringify(page.json, null, 2)}\n`);
        }
      }
    } catch (error) {
      options.log.error("a monitoring request failed", { url: request.url, error: describeError(error) });
      return reply(500, "text/plain", `${describeError(error)}\n`);
    }
  });
  return {
    listen(port, host) {
      return new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, host, () => {
          server.off("error", reject);
          const address = server.address();
          resolve(typeof address === "object" && address !== null ? address.port : port);
        });
      });
    },
    close() {
      return new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}
