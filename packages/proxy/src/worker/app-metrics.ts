/** The application's own metrics, merged into 15020/stats/prometheus when the pod's annotations ask for scraping (Istio's metrics merging). */
import { request } from "node:http";
import type { PodNetwork } from "@argyle/pod-network";

const TIMEOUT_MS = 2000;
const MAX_BYTES = 16 * 1024 * 1024;

export interface AppMetrics {
  readonly port: number;
  readonly path: string;
}

/** ISTIO_PROMETHEUS_ANNOTATIONS is `{"scrape":"true","path":"/metrics","port":"8080"}`, written by injection. */
export function parseAppMetrics(text: string | undefined): AppMetrics | undefined {
  if (text === undefined) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof parsed !== "object" || parsed === null) return undefined;
  const { scrape, port, path } = parsed as { scrape?: unknown; port?: unknown; path?: unknown };
  const number = Number(port ?? 80);
  if (scrape !== "true" || !Number.isInteger(number) || number <= 0) return undefined;
  return { port: number, path: typeof path === "string" && path.startsWith("/") ? path : "/metrics" };
}

/** The text, or undefined when the app does not answer with metrics in time: the proxy's own must not be lost with it. */
export async function fetchAppMetrics(
  network: PodNetwork,
  podIp: string,
  app: AppMetrics,
): Promise<string | undefined> {
  const socket = await network
    .dial({ host: podIp, port: app.port, from: { ip: podIp }, timeoutMs: TIMEOUT_MS })
    .catch(() => undefined);
  if (socket === undefined) return undefined;
  return new Promise((resolve) => {
    const finish = (text: string | undefined) => {
      socket.destroy();
      resolve(text);
    };
    const get = request(
      {
        createConnection: () => socket,
        path: app.path,
        headers: { host: `${podIp}:${app.port}`, connection: "close" },
        timeout: TIMEOUT_MS,
      },
      (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          body += chunk;
          if (body.length > MAX_BYTES) finish(undefined);
        });
        response.on("end", () => finish(response.statusCode === 200 ? body : undefined));
        response.on("error", () => finish(undefined));
      },
    );
    get.on("timeout", () => finish(undefined));
    get.on("error", () => finish(undefined));
    get.end();
  });
}
