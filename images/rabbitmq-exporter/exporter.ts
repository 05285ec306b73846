/** GET /metrics asks the management API anew each time; when it does not answer the page says `rabbitmq_up 0` and nothing that was true before. */
import { createServer, type Server } from "node:http";
import { exposeFamily, exposeMetrics } from "./metrics.ts";

export interface ExporterOptions {
  readonly url: string;
  readonly user: string;
  readonly password: string;
  readonly timeoutMs: number;
  readonly log: (line: string) => void;
}

const MODULES = ["overview", "queues", "exchanges", "nodes"] as const;
type Module = (typeof MODULES)[number];
/** Names as the exporter has them. */
const LABELS: Readonly<Record<Module, string>> = {
  overview: "overview",
  queues: "queue",
  exchanges: "exchange",
  nodes: "node",
};

export function createExporter(options: ExporterOptions): Server {
  const authorization = `Basic ${Buffer.from(`${options.user}:${options.password}`).toString("base64")}`;
  const ask = async (module: Module): Promise<unknown> => {
    const answer = await fetch(new URL(`/api/${module}`, options.url), {
      headers: { authorization, accept: "application/json" },
      signal: AbortSignal.timeout(options.timeoutMs),
    });
    if (!answer.ok) throw new Error(`/api/${module} answered ${answer.status}`);
    return answer.json();
  };
  const scrape = async (): Promise<string> => {
    const results = await Promise.all(
      MODULES.map(async (module) => {
        const started = performance.now();
        const outcome = await ask(module).then(
          (json) => ({ json, isUp: true }),
          (error: unknown) => {
            options.log(`${module}: ${describe(error)}`);
            return { json: undefined, isUp: false };
          },
        );
        return { module, ...outcome, seconds: (performance.now() - started) / 1000 };
      }),
    );
    const answer = (module: Module) => results.find((result) => result.module === module)?.json;
    const isUp = results.every((result) => result.isUp);
    const labels = (module: Module) => [["module", LABELS[module]]] as const;
    return [
      exposeFamily({ name: "up", help: "Whether the last scrape of RabbitMQ succeeded.", from: "", type: "gauge" }, [
        [[], isUp ? 1 : 0],
      ]),
      exposeFamily(
        { name: "module_up", help: "Whether the last scrape of a module succeeded.", from: "", type: "gauge" },
        results.map((result) => [labels(result.module), result.isUp ? 1 : 0]),
      ),
      exposeFamily(
        { name: "module_scrape_duration_seconds", help: "How long a module took.", from: "", type: "gauge" },
        results.map((result) => [labels(result.module), result.seconds]),
      ),
      isUp
        ? exposeMetrics({
            overview: answer("overview"),
            queues: answer("queues"),
            exchanges: answer("exchanges"),
            nodes: answer("nodes"),
          })
        : "",
    ].join("");
  };
  return createServer((incoming, outgoing) => {
    const { pathname } = new URL(incoming.url ?? "/", "http://exporter");
    const reply = (status: number, type: string, body: string) => {
      outgoing.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
      outgoing.end(body);
    };
    incoming.resume();
    if (pathname === "/") return reply(200, "text/html; charset=utf-8", '<a href="/metrics">Metrics</a>\n');
    if (pathname === "/health") return reply(200, "text/plain", "OK\n");
    if (pathname !== "/metrics") return reply(404, "text/plain", "not found\n");
    scrape().then(
      (page) => reply(200, "text/plain; version=0.0.4; charset=utf-8", page),
      (error: unknown) => reply(500, "text/plain", `${describe(error)}\n`),
    );
    return undefined;
  });
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${describe(error.cause)}`;
}
