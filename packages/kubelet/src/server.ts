/**
 * The kubelet API over HTTPS on 127.0.0.1, for the API server: only a client certificate of the cluster's CA gets in. Paths are the real kubelet's:
 * /healthz /pods /containerLogs/<ns>/<pod>/<container> /stats/summary /metrics/resource /exec /attach /portForward.
 * Failures are metav1.Status bodies, since the API server passes them on as they are.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type Clock, describeError, type Logger, parseRfc3339 } from "@argyle/core";
import type { Status } from "@argyle/kube-types";
import { type LogOptions, readContainerLog } from "./container-logs.ts";
import { allContainers } from "./decide.ts";
import type { KubeletServing } from "./options.ts";
import { podPaths } from "./pod-paths.ts";
import type { PodWorker } from "./pod-worker.ts";
import type { PodWorkers } from "./pod-workers.ts";
import type { ResourceSampler } from "./resource-sampler.ts";
import { buildStatsSummary, formatResourceMetrics } from "./stats-format.ts";

export interface KubeletServer {
  readonly port: number;
  close(): Promise<void>;
}

export interface KubeletServerDeps {
  readonly workers: PodWorkers;
  readonly sampler: ResourceSampler;
  readonly stateDir: string;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Takes exec, attach and portForward over; false when the path is not one of them. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => boolean;
}

class HttpFailure extends Error {
  readonly code: number;
  readonly reason: string;

  constructor(code: number, reason: string, message: string) {
    super(message);
    this.code = code;
    this.reason = reason;
  }
}

export async function startKubeletServer(serving: KubeletServing, deps: KubeletServerDeps): Promise<KubeletServer> {
  const server = createServer(
    {
      key: serving.key,
      cert: serving.cert,
      ca: serving.clientCa,
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: ["http/1.1"],
    },
    (request, response) => {
      answer(request, response, deps).catch((error: unknown) => fail(response, error, deps.log));
    },
  );
  const sockets = new Set<Duplex>();
  server.on("secureConnection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    if (!deps.upgrade(request, socket, head)) socket.end("HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n");
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(serving.port ?? 0, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, deps: KubeletServerDeps): Promise<void> {
  const url = new URL(request.url ?? "/", "https://kubelet");
  const [route = "", ...rest] = url.pathname
    .split("/")
    .filter((part) => part !== "")
    .map(decodeURIComponent);
  switch (route) {
    case "healthz":
      send(response, "text/plain", "ok");
      return;
    case "pods":
      json(response, {
        kind: "PodList",
        apiVersion: "v1",
        metadata: {},
        items: deps.workers.list().map((w) => w.pod()),
      });
      return;
    case "containerLogs":
      await sendLogs(rest, url.searchParams, response, deps);
      return;
    case "stats":
      json(response, buildStatsSummary(deps.sampler.sample(), deps.nodeName));
      return;
    case "metrics":
      send(response, "text/plain; version=0.0.4", formatResourceMetrics(deps.sampler.sample()));
      return;
    case "exec":
    case "attach":
    case "portForward":
      throw new HttpFailure(400, "BadRequest", "you must upgrade this request to SPDY/3.1 or a WebSocket");
    default:
      throw new HttpFailure(404, "NotFound", `no such path: ${url.pathname}`);
  }
}

async function sendLogs(
  path: readonly string[],
  query: URLSearchParams,
  response: ServerResponse,
  deps: KubeletServerDeps,
): Promise<void> {
  const [namespace = "", pod = "", container = ""] = path;
  const worker = deps.workers.find(namespace, pod);
  if (worker === undefined) throw new HttpFailure(404, "NotFound", `pod "${pod}" not found on this node`);
  const restart = chooseRestart(worker, container, query.get("previous") === "true");
  const source = {
    path: podPaths(deps.stateDir, worker.uid).log(container, restart),
    isRunning: () => {
      const record = worker.record(container);
      const isCurrent = worker.life.isProxyName(container) || record?.restartCount === restart;
      return isCurrent && record?.phase.kind === "running";
    },
  };
  const options = parseLogOptions(query, deps.clock.now());
  const abort = new AbortController();
  response.on("close", () => abort.abort());
  response.writeHead(200, { "content-type": "text/plain" });
  response.flushHeaders();
  for await (const text of readContainerLog(source, options, deps.clock, abort.signal)) {
    if (!response.write(text)) {
      await new Promise<void>((resolve) => {
        response.once("drain", resolve);
        response.once("close", resolve);
      });
    }
    if (abort.signal.aborted) return;
  }
  response.end();
}

/** Which start of the container is meant; the texts are Kubernetes'. */
function chooseRestart(worker: PodWorker, container: string, isPrevious: boolean): number {
  const pod = worker.pod().metadata.name;
  const record = worker.record(container);
  if (!allContainers(worker.pod()).some((c) => c.name === container)) {
    throw new HttpFailure(400, "BadRequest", `container ${container} is not valid for pod ${pod}`);
  }
  if (record === undefined || record.starts === 0) {
    const phase = record?.phase;
    const reason = phase?.kind === "waiting" ? phase.reason : "PodInitializing";
    const detail = phase?.kind === "waiting" && phase.message !== undefined ? `: ${phase.message}` : "";
    throw new HttpFailure(
      400,
      "BadRequest",
      `container "${container}" in pod "${pod}" is waiting to start: ${reason}${detail}`,
    );
  }
  const current = worker.life.isProxyName(container) ? 0 : record.restartCount;
  if (!isPrevious) return current;
  if (record.last === undefined || current === 0) {
    throw new HttpFailure(400, "BadRequest", `previous terminated container "${container}" in pod "${pod}" not found`);
  }
  return current - 1;
}

function parseLogOptions(query: URLSearchParams, now: number): LogOptions {
  const number = (name: string) => {
    const text = query.get(name);
    if (text === null || text === "") return undefined;
    const value = Number(text);
    if (!Number.isInteger(value) || value < 0) {
      throw new HttpFailure(400, "BadRequest", `${name} must be a number that is not negative`);
    }
    return value;
  };
  const tailLines = number("tailLines");
  const limitBytes = number("limitBytes");
  const sinceSeconds = number("sinceSeconds");
  const sinceTime = parseRfc3339(query.get("sinceTime") ?? "");
  const since = sinceSeconds === undefined ? sinceTime : now - sinceSeconds * 1000;
  return {
    follow: query.get("follow") === "true",
    timestamps: query.get("timestamps") === "true",
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(since === undefined ? {} : { since }),
  };
}

function send(response: ServerResponse, type: string, body: string): void {
  response.writeHead(200, { "content-type": type });
  response.end(body);
}

function json(response: ServerResponse, body: unknown): void {
  send(response, "application/json", JSON.stringify(body));
}

function fail(response: ServerResponse, error: unknown, log: Logger): void {
  const known = error instanceof HttpFailure ? error : new HttpFailure(500, "InternalError", describeError(error));
  if (known.code === 500) log.warn("a request failed", { error: known.message });
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const status: Status = {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: known.message,
    reason: known.reason,
    code: known.code,
  };
  response.writeHead(known.code, { "content-type": "application/json" });
  response.end(JSON.stringify(status));
}
