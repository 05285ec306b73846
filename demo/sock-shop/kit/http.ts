/**
 * The small web framework of the Sock Shop's services: routes as a list, JSON in and out, a body limit, errors as values.
 * Plain node:http, because fourteen of these processes share a laptop. Nothing here knows of a mesh.
 */
import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from "node:http";
import { createLogLine } from "./log.ts";
import { createRequestMetrics } from "./metrics.ts";
import { traceHeadersOf } from "./trace.ts";

export interface Request {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly params: Readonly<Record<string, string>>;
  readonly headers: IncomingMessage["headers"];
  /** Headers to send along on calls made for this request, so that the trace goes on. */
  readonly trace: Readonly<Record<string, string>>;
  /** The whole body; throws HttpError 413 above the limit. */
  body(): Promise<Buffer>;
  /** The body as a JSON value; throws HttpError 400 or 415. */
  json(): Promise<unknown>;
}

export interface Response {
  readonly status?: number;
  readonly headers?: OutgoingHttpHeaders;
  readonly json?: unknown;
  readonly body?: Buffer | string;
}

export interface Route {
  readonly method: string;
  /** `/catalogue/:id`; a trailing `*` matches the rest into params.rest. */
  readonly path: string;
  handle(request: Request): Promise<Response> | Response;
}

/** An answer that ends a request: the status and the message the client may see. */
export class HttpError extends Error {
  readonly status: number;
  constructor(status: number, message: string, cause?: unknown) {
    super(message, { cause });
    this.status = status;
  }
}

/** What an error answer may depend on. */
export interface FailedRequest {
  readonly method: string;
  readonly path: string;
  /** With its question mark, or empty. */
  readonly search: string;
  readonly headers: IncomingMessage["headers"];
}

export interface ServiceOptions {
  readonly name: string;
  readonly routes: readonly Route[];
  /** Turns a thrown error into an answer; each service keeps the form of its original. */
  readonly onError: (error: HttpError, failed: FailedRequest) => Response;
  /** Sent with every answer, whoever makes it: routes, errors, /metrics, and bytes that are no request at all. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly maxBodyBytes?: number;
  readonly log?: (line: string) => void;
}

export interface Service {
  readonly server: Server;
  /** Closes the listener and idle connections, and resolves when requests in flight are done. */
  close(): Promise<void>;
}

export function createService(options: ServiceOptions): Service {
  const write = options.log ?? ((line) => process.stdout.write(line));
  const metrics = createRequestMetrics(options.name);
  const routes = options.routes.map((route) => ({ route, match: compilePath(route.path) }));
  const find = (method: string, path: string) => {
    let pathKnown = false;
    for (const { route, match } of routes) {
      const params = match(path);
      if (params === undefined) continue;
      if (route.method === method || (method === "HEAD" && route.method === "GET")) return { route, params };
      pathKnown = true;
    }
    return pathKnown ? "method" : undefined;
  };

  const server = createServer((incoming, outgoing) => {
    const started = process.hrtime.bigint();
    const target = parseTarget(incoming.url ?? "/");
    const url = target ?? new URL("http://service/");
    const method = incoming.method ?? "GET";
    const answer = async (): Promise<Response> => {
      if (target === undefined) throw new HttpError(400, "the path is not valid");
      if (url.pathname === "/metrics")
        return { headers: { "content-type": "text/plain; version=0.0.4" }, body: metrics.expose() };
      found = find(method, url.pathname);
      if (found === undefined) throw new HttpError(404, "not found");
      if (found === "method") throw new HttpError(405, `method ${method} is not allowed here`);
      return await found.route.handle(
        readRequest(incoming, url, method, found.params, options.maxBodyBytes ?? 64 * 1024),
      );
    };
    let found: ReturnType<typeof find>;
    answer()
      .catch((error: unknown) => {
        const known = error instanceof HttpError ? error : new HttpError(500, "internal error", error);
        if (known.status >= 500) write(createLogLine("error", describe(known), { path: url.pathname }));
        return options.onError(known, { method, path: url.pathname, search: url.search, headers: incoming.headers });
      })
      .then((response) => {
        const status = send(outgoing, method, response, options.headers);
        const seconds = Number(process.hrtime.bigint() - started) / 1e9;
        const route = found === undefined || found === "method" ? "other" : found.route.path;
        if (route !== "other") metrics.observe(method, route, status, seconds);
        if (url.pathname !== "/health" && url.pathname !== "/metrics") {
          write(createLogLine("info", `${method} ${url.pathname}`, accessFields(incoming, status, seconds)));
        }
      })
      .catch((error: unknown) => {
        write(createLogLine("error", describe(error), { path: url.pathname }));
        outgoing.destroy();
      });
  });
  server.keepAliveTimeout = 65_000;
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable || error.code === "ECONNRESET") return void socket.destroy();
    const status = error.code === "HPE_HEADER_OVERFLOW" ? "431 Request Header Fields Too Large" : "400 Bad Request";
    const always = Object.entries(options.headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.end(`HTTP/1.1 ${status}\r\n${always.join("")}content-length: 0\r\nconnection: close\r\n\r\n`);
  });
  return {
    server,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}

function accessFields(incoming: IncomingMessage, status: number, seconds: number): Record<string, string | number> {
  return {
    status,
    ms: Math.round(seconds * 10_000) / 10,
    host: String(incoming.headers.host ?? ""),
    requestId: String(incoming.headers["x-request-id"] ?? ""),
    userAgent: String(incoming.headers["user-agent"] ?? ""),
  };
}

function readRequest(
  incoming: IncomingMessage,
  url: URL,
  method: string,
  params: Readonly<Record<string, string>>,
  maxBytes: number,
): Request {
  const body = () => readBody(incoming, maxBytes);
  return {
    method,
    path: url.pathname,
    query: url.searchParams,
    params,
    headers: incoming.headers,
    trace: traceHeadersOf(incoming.headers),
    body,
    async json() {
      const type = incoming.headers["content-type"] ?? "application/json";
      if (!/^application\/(?:[\w.+-]*\+)?json\b/i.test(type))
        throw new HttpError(415, `content type ${type} is not supported, send application/json`);
      const text = (await body()).toString("utf8");
      try {
        return JSON.parse(text) as unknown;
      } catch (cause) {
        throw new HttpError(400, "the body is not valid JSON", cause);
      }
    },
  };
}

function readBody(incoming: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    incoming.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBytes) chunks.push(chunk);
      else {
        // What is still to come is read and dropped, so that the client gets to read the answer.
        chunks.length = 0;
        reject(new HttpError(413, `the body is larger than ${maxBytes} bytes`));
      }
    });
    incoming.on("end", () => resolve(Buffer.concat(chunks)));
    incoming.on("error", reject);
    incoming.on("close", () => reject(new HttpError(400, "the client went away")));
  });
}

function send(
  outgoing: ServerResponse,
  method: string,
  response: Response,
  always: Readonly<Record<string, string>> | undefined,
): number {
  const status = response.status ?? 200;
  const body = response.json === undefined ? (response.body ?? "") : JSON.stringify(response.json);
  const headers: OutgoingHttpHeaders = {
    ...(response.json === undefined ? {} : { "content-type": "application/json; charset=utf-8" }),
    ...response.headers,
    ...always,
  };
  if (status !== 204 && status !== 304) headers["content-length"] = Buffer.byteLength(body);
  outgoing.writeHead(status, headers);
  outgoing.end(method === "HEAD" ? undefined : body);
  return status;
}

/** A path that starts with two slashes would be read as a host name, by us or by a browser that follows a redirect to it. */
function parseTarget(target: string): URL | undefined {
  if (/^[/\\]{2}/.test(target) || !URL.canParse(target, "http://service")) return undefined;
  const url = new URL(target, "http://service");
  return url.pathname.startsWith("//") ? undefined : url;
}

/** `/a/:id/*` to a function that returns the parameters, or undefined when the path does not match. */
function compilePath(pattern: string): (path: string) => Readonly<Record<string, string>> | undefined {
  const names: string[] = [];
  const source = pattern
    .replace(/[.+?^${}()|[\]\\]/g, "\\$&")
    .replace(/:(\w+)/g, (_, name: string) => {
      names.push(name);
      return "([^/]+)";
    })
    .replace(/\*$/, () => {
      names.push("rest");
      return "(.*)";
    });
  const regex = new RegExp(`^${source}$`);
  return (path) => {
    const match = regex.exec(path);
    if (match === null) return undefined;
    try {
      return Object.fromEntries(names.map((name, i) => [name, decodeURIComponent(match[i + 1] ?? "")]));
    } catch {
      throw new HttpError(400, "the path is not valid percent-encoding");
    }
  };
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${describe(error.cause)}`;
}
