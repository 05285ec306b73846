/**
 * The forward proxy of the node (see pod-network/http-proxy.ts): requests in absolute-form are forwarded, CONNECT is a tunnel, WebSockets and other
 * upgrades pass. Nothing is buffered. Connections are not shared: what a client keeps open towards us is what we keep open towards the mesh, so the
 * sidecar sees as many connections as the program made. HTTP/1.1 by Node's strict parser: this is not the mesh's data path.
 */
import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
  ServerResponse,
} from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type Clock, describeError, errnoOf, type Logger } from "@argyle/core";
import { relay } from "@argyle/pod-network";
import {
  endToEndHeaders,
  type ProxyDestination,
  pairs,
  parseAbsoluteForm,
  parseAuthority,
  type Refusal,
  refusalMessage,
  refusalOf,
} from "./http-message.ts";

export interface HttpProxyDeps<Caller> {
  /** Who a request comes from, by its Proxy-Authorization; undefined is answered 407. */
  readonly authenticate: (proxyAuthorization: string | undefined) => Promise<Caller | undefined>;
  /** Opens a connection of the caller's; rejects with what `refusalOf` understands. */
  readonly dial: (caller: Caller, to: ProxyDestination, clientPort: number, signal: AbortSignal) => Promise<Socket>;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface HttpProxy {
  /** Fails with EADDRINUSE as listen does; 0 is any free port. Resolves with the port. */
  listen(port: number): Promise<number>;
  close(): void;
}

const MAX_HEADER_BYTES = 64 * 1024;
const KEEP_ALIVE_MS = 75_000;
const HOST = "127.0.0.1";
const UNAUTHENTICATED: Refusal = {
  status: 407,
  error: "proxy_configuration_error",
  message: "no pod's credentials: use the http_proxy that the container was started with",
};

export function createHttpProxy<Caller>(deps: HttpProxyDeps<Caller>): HttpProxy {
  const log = deps.log.scope("http-proxy");
  const open = new Set<Duplex>();
  /** One a client connection: its connections into the mesh. */
  const agents = new WeakMap<Duplex, Agent>();
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES, keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 });

  const track = (socket: Duplex) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  };

  const agentFor = (client: Socket, caller: Caller): Agent => {
    const known = agents.get(client);
    if (known !== undefined) return known;
    const gone = goneSignal(client);
    const agent = Object.assign(new Agent({ keepAlive: true, maxFreeSockets: 4 }), {
      createConnection(options: RequestOptions, done: (error: Error | null, socket?: Socket) => void) {
        const to = { host: String(options.host), port: Number(options.port) };
        deps.dial(caller, to, client.remotePort ?? 0, gone).then(
          (socket) => {
            track(socket);
            // An idle one that the other side ends must leave the pool.
            socket.allowHalfOpen = false;
            done(null, socket);
          },
          (thrown: unknown) => done(thrown instanceof Error ? thrown : new Error(describeError(thrown))),
        );
      },
    });
    agents.set(client, agent);
    client.once("close", () => agent.destroy());
    return agent;
  };

  /** The request is right and from a pod, or it has been answered. */
  const accept = async (request: IncomingMessage, response: ServerResponse) => {
    const caller = await deps.authenticate(request.headers["proxy-authorization"]);
    if (caller === undefined) {
      refuse(response, UNAUTHENTICATED);
      return undefined;
    }
    const coding = request.headers["transfer-encoding"];
    if (coding !== undefined && coding.toLowerCase() !== "chunked") {
      refuse(response, { status: 501, error: "http_request_error", message: `transfer-coding ${coding}` });
      return undefined;
    }
    const target = parseAbsoluteForm(request.url ?? "");
    if (target.ok) return { caller, target: target.value };
    refuse(response, { status: 400, error: "http_request_error", message: target.error });
    return undefined;
  };

  const forward = async (request: IncomingMessage, response: ServerResponse, upgrade?: string) => {
    const accepted = await accept(request, response);
    if (accepted === undefined || request.socket.destroyed) {
      request.resume();
      return;
    }
    const { caller, target } = accepted;
    const isChunked = request.headers["transfer-encoding"] !== undefined;
    const hasBody = isChunked || Number(request.headers["content-length"] ?? 0) > 0;
    const headers = endToEndHeaders(request.rawHeaders);
    if (request.headers.host === undefined) headers.push("Host", `${target.host}:${target.port}`);
    if (isChunked) headers.push("Transfer-Encoding", "chunked");
    // Node would announce a chunked body for a method that may have one.
    else if (!hasBody && request.headers["content-length"] === undefined && isBodyUsual(request.method))
      headers.push("Content-Length", "0");
    if (upgrade !== undefined) headers.push("Connection", "Upgrade", "Upgrade", upgrade);
    else headers.push("Connection", "keep-alive");
    const { method = "GET" } = request;
    const { host, port, path } = target;
    const send = (isRetry: boolean) => {
      const agent = agentFor(request.socket, caller);
      const upstream = httpRequest({ agent, host, port, path, method, headers, maxHeaderSize: MAX_HEADER_BYTES });
      const isStarted = () => response.headersSent || response.destroyed;
      upstream.on("continue", () => response.writeContinue());
      upstream.on("response", (answer) => {
        answerWith(answer, response);
        response.on("close", () => {
          if (!response.writableFinished) upstream.destroy();
        });
      });
      upstream.on("upgrade", (answer, socket, head) => {
        response.detachSocket(request.socket);
        joinUpgraded(request.socket, answer, socket, head);
      });
      upstream.on("error", (error) => {
        const isStale = upstream.reusedSocket && errnoOf(error) === "ECONNRESET";
        if (isStarted()) {
          if (!response.writableFinished) response.destroy();
        } else if (isStale && !isRetry && !hasBody) send(true);
        else refuse(response, refusalOf(error, target));
      });
      upstream.on("close", () => {
        request.unpipe(upstream);
        request.resume();
      });
      if (hasBody) passBody(request, upstream);
      else upstream.end();
    };
    send(false);
  };

  const join = (client: Socket, upstream: Socket) => {
    void relay(client, upstream, { clock: deps.clock });
    // A client that has ended meanwhile has told so before relay() listened.
    if (client.readableEnded && upstream.writable) upstream.end();
    client.resume();
    upstream.resume();
  };

  const joinUpgraded = (client: Socket, answer: IncomingMessage, upstream: Socket, head: Buffer) => {
    const lines = pairs(answer.rawHeaders).map(([name, value]) => `${name}: ${value}\r\n`);
    client.write(`HTTP/1.1 101 ${answer.statusMessage}\r\n${lines.join("")}\r\n`, "latin1");
    if (head.length > 0) client.write(head);
    join(client, upstream);
  };

  const tunnel = async (request: IncomingMessage, client: Socket, head: Buffer) => {
    // At once: bytes cannot be put back behind an end.
    if (head.length > 0) client.unshift(head);
    client.on("error", (error) => log.debug("a tunnel's client broke", { error: error.message }));
    const response = responseOn(client, request);
    const caller = await deps.authenticate(request.headers["proxy-authorization"]);
    if (caller === undefined) {
      refuse(response, UNAUTHENTICATED);
      return;
    }
    const to = parseAuthority(request.url ?? "");
    if (!to.ok) {
      refuse(response, { status: 400, error: "http_request_error", message: to.error });
      return;
    }
    let upstream: Socket;
    try {
      upstream = await deps.dial(caller, to.value, client.remotePort ?? 0, goneSignal(client));
    } catch (thrown) {
      log.debug("no tunnel", { to: `${to.value.host}:${to.value.port}`, error: describeError(thrown) });
      if (!client.destroyed) refuse(response, refusalOf(thrown, to.value));
      return;
    }
    track(upstream);
    response.detachSocket(client);
    client.write("HTTP/1.1 200 Connection established\r\n\r\n");
    join(client, upstream);
  };

  const failed = (thrown: unknown) => log.error("a request failed", { error: describeError(thrown) });
  const onRequest = (request: IncomingMessage, response: ServerResponse) =>
    void forward(request, response).catch((thrown: unknown) => {
      failed(thrown);
      response.destroy();
    });
  server.on("connection", track);
  server.on("request", onRequest);
  server.on("checkContinue", onRequest);
  server.on("connect", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    tunnel(request, socket as Socket, head).catch((thrown: unknown) => {
      failed(thrown);
      socket.destroy();
    });
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const client = socket as Socket;
    client.on("error", (error) => log.debug("an upgraded client broke", { error: error.message }));
    const response = responseOn(client, request);
    // Node's parser stops at an upgrade, so a body would be lost; HTTP/2 is not spoken here and its offer may be ignored (RFC 9110 §7.8).
    const hasBody =
      request.headers["transfer-encoding"] !== undefined || Number(request.headers["content-length"] ?? 0) > 0;
    if (hasBody) {
      const message = "a request that asks for an upgrade must have no body here";
      refuse(response, { status: 400, error: "http_request_error", message });
      return;
    }
    if (head.length > 0) client.unshift(head);
    const wanted = request.headers.upgrade ?? "";
    forward(request, response, /^h2c\b/i.test(wanted) ? undefined : wanted).catch((thrown: unknown) => {
      failed(thrown);
      client.destroy();
    });
  });

  return {
    async listen(port) {
      await new Promise<void>((resolve, reject) => {
        const settle = (error?: Error) => {
          server.off("error", settle);
          server.off("listening", settle);
          if (error === undefined) resolve();
          else reject(error);
        };
        server.on("error", settle);
        server.on("listening", settle);
        server.listen({ host: HOST, port, exclusive: true });
      });
      server.on("error", (error) => log.error("listener failed", { error: error.message }));
      const address = server.address();
      return typeof address === "object" ? (address?.port ?? port) : port;
    },
    close() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

function refuse(response: ServerResponse, refusal: Refusal): void {
  if (response.destroyed || response.headersSent) return;
  const { status, reason, headers, body } = refusalMessage(refusal);
  response.writeHead(status, reason, { ...headers, "Content-Length": Buffer.byteLength(body) });
  response.end(body);
}

function answerWith(answer: IncomingMessage, response: ServerResponse): void {
  response.sendDate = false;
  response.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? "", endToEndHeaders(answer.rawHeaders));
  response.flushHeaders();
  answer.on("end", () => response.addTrailers(pairs(answer.rawTrailers)));
  answer.on("error", () => response.destroy());
  answer.pipe(response);
}

function passBody(request: IncomingMessage, upstream: ReturnType<typeof httpRequest>): void {
  request.on("end", () => upstream.addTrailers(pairs(request.rawTrailers)));
  request.pipe(upstream);
}

/** An answer to a request that Node has taken out of its HTTP handling (CONNECT, Upgrade); the connection ends with it. */
function responseOn(client: Socket, request: IncomingMessage): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(client);
  response.once("finish", () => client.end());
  return response;
}

function goneSignal(client: Socket): AbortSignal {
  const abort = new AbortController();
  client.once("close", () => abort.abort(new Error("the client has gone")));
  return abort.signal;
}

function isBodyUsual(method: string | undefined): boolean {
  return method === "POST" || method === "PUT" || method === "PATCH";
}
