/**
 * The API server: opens the store and the keys, listens with TLS, tells who asks, and hands each request to its route.
 * Anonymous clients may ask /healthz, /readyz, /livez and /version; everybody else may do everything (there is no RBAC).
 * HTTP/1.1 only: exec and port-forward are upgrades.
 */
import { X509Certificate } from "node:crypto";
import { mkdirSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { type PeerCertificate, TLSSocket } from "node:tls";
import { describeError } from "@argyle/core";
import { createSchemas } from "@argyle/kube-types";
import { createAdmission } from "./admission/chain.ts";
import { createAuthenticator, type Identity } from "./authn.ts";
import { bootstrapObjects } from "./bootstrap.ts";
import type { ApiRequest, ApiResponse, Call, ServerContext } from "./context.ts";
import { startEventExpiry } from "./event-expiry.ts";
import { buildKubeconfig } from "./kubeconfig.ts";
import { isStream, joinStream } from "./kubelet/streams.ts";
import { createLoopback, type Loopback } from "./loopback.ts";
import { createRequestMetrics } from "./metrics.ts";
import type { ApiServer, ApiServerOptions, KubeconfigPaths } from "./options.ts";
import { type ClusterPki, openPki, writePrivate } from "./pki.ts";
import { parseTarget, type Target } from "./request-target.ts";
import { sendReply, sendStatus, sendText } from "./respond.ts";
import { isHealthPath, isOpenPath, serveNonResource } from "./routes/non-resource.ts";
import { serveResource } from "./routes/resource.ts";
import { answerReview, findReview } from "./routes/reviews.ts";
import { toStatus, unauthorized, unknownPath } from "./status.ts";
import { openStore } from "./storage.ts";
import { createServiceAllocator } from "./strategy/service-allocator.ts";
import { createWatchHub } from "./watch-hub.ts";

export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { stateDir, clock, log, dialService } = options;
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const pki = await openPki(join(stateDir, "pki"), clock, options.nodeName ?? "argyle");
  const store = openStore({ dir: join(stateDir, "store"), clock, log });
  const hub = createWatchHub(store);
  const context: ServerContext = {
    store,
    hub,
    schemas: createSchemas(options.assets),
    admission: createAdmission({ store, hub, dialService, clock, log }),
    allocator: createServiceAllocator(store),
    authenticator: createAuthenticator(pki.serviceAccountKey, store, clock),
    pki,
    clock,
    log,
    dialService,
  };
  const metrics = createRequestMetrics();
  let url = "";

  /** Reading a certificate costs more than many a request: once a connection. */
  const certified = new WeakMap<TLSSocket, Identity | undefined>();
  const identify = (request: IncomingMessage): Identity | undefined => {
    const { socket } = request;
    if (socket instanceof TLSSocket && socket.authorized) {
      if (!certified.has(socket)) {
        // A socket without a client certificate, a resumed session among them, has a peer "certificate" without fields.
        const subject = socket.getPeerCertificate()?.subject as PeerCertificate["subject"] | undefined;
        certified.set(socket, subject === undefined ? undefined : context.authenticator.fromCertificate(subject));
      }
      const found = certified.get(socket);
      if (found !== undefined) return found;
    }
    const bearer = /^Bearer\s+(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
    return bearer === undefined ? undefined : context.authenticator.fromToken(bearer, [])?.identity;
  };

  const serve = async (exchange: Exchange, parsed: URL, target: Target | undefined) => {
    const path = parsed.pathname;
    const { request, response } = exchange;
    const user = exchange.identify();
    if (user === undefined && !isOpenPath(path)) throw unauthorized();
    const call: Call = {
      context,
      request,
      response,
      query: parsed.searchParams,
      user: user ?? { username: "system:anonymous", groups: ["system:unauthenticated"] },
      warnings: [],
    };
    if (isHealthPath(path)) {
      sendText(response, 200, "ok", "text/plain; charset=utf-8");
      return;
    }
    if (target !== undefined) {
      const resourceCall = { ...call, target };
      sendReply(resourceCall, await serveResource(resourceCall));
      return;
    }
    const review = findReview(path);
    if (review !== undefined) {
      const reply = await answerReview(call, review);
      if (reply.kind === "json") sendText(response, reply.code, JSON.stringify(reply.body), "application/json");
      return;
    }
    if (!serveNonResource(call, path, url, () => metrics.render(store, hub))) throw unknownPath();
  };

  const answer = async (exchange: Exchange) => {
    const { request, response } = exchange;
    const started = clock.monotonic();
    const parsed = new URL(request.url ?? "/", "https://apiserver");
    const target = parseTarget(parsed.pathname);
    try {
      await serve(exchange, parsed, target);
    } catch (error) {
      answerFailure(request, response, error);
    }
    const verb = parsed.searchParams.get("watch") === "true" ? "WATCH" : (request.method ?? "");
    const seconds = (clock.monotonic() - started) / 1000;
    metrics.observe(verb, target?.resource.plural ?? "", response.statusCode, seconds);
    log.debug("request", {
      method: request.method,
      path: request.url,
      code: response.statusCode,
      ms: Math.round(seconds * 1e5) / 100,
      command: String(request.headers["kubectl-command"] ?? request.headers["user-agent"] ?? "").slice(0, 80),
    });
  };

  const answerFailure = (request: ApiRequest, response: ApiResponse, error: unknown) => {
    const { status, isUnexpected } = toStatus(error);
    if (request.destroyed && !request.complete) {
      log.debug("request: the client went away", { method: request.method, path: request.url });
    } else if (isUnexpected) {
      const stack = error instanceof Error && status.code === 500 ? error.stack : undefined;
      log.error("request failed", { method: request.method, path: request.url, error: describeError(error), stack });
    }
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    // What is left of the body is not read: the connection cannot be used again.
    if (!request.complete) response.setHeader("connection", "close");
    sendStatus(response, status);
  };

  const upgraded = new Set<Duplex>();
  const onUpgrade = async (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    upgraded.add(socket);
    socket.once("close", () => upgraded.delete(socket));
    socket.on("error", () => socket.destroy());
    try {
      if (identify(request) === undefined) throw unauthorized();
      const parsed = new URL(request.url ?? "/", "https://apiserver");
      const target = parseTarget(parsed.pathname);
      if (target === undefined || !isStream(target)) throw unknownPath();
      await joinStream({ context, request, socket, head, query: parsed.searchParams, target });
    } catch (error) {
      const { status, isUnexpected } = toStatus(error);
      if (isUnexpected) log.error("upgrade failed", { path: request.url, error: describeError(error) });
      const body = JSON.stringify(status);
      socket.end(
        `HTTP/1.1 ${status.code} ${status.reason ?? "Error"}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
      );
    }
  };

  const server = createServer({
    cert: pki.serving.certPem,
    key: pki.serving.keyPem,
    ca: pki.caCertPem,
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: ["http/1.1"],
    // The command line of an exec travels in the URL.
    maxHeaderSize: 256 * 1024,
  });
  // Longer than the clients' own (Go: 90 s), so that they close first and never write into a connection that we close.
  server.keepAliveTimeout = 120_000;
  server.on("request", (request, response) => {
    response.on("error", (error) => log.debug("response failed", { error: describeError(error) }));
    void answer({ request, response, identify: () => identify(request) });
  });
  server.on("upgrade", (request, socket, head) => void onUpgrade(request, socket, head));
  server.on("tlsClientError", (error) => log.debug("tls handshake failed", { error: describeError(error) }));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, () => {
      server.off("error", reject);
      resolve();
    });
  }).catch((error: unknown) => {
    store.close();
    throw error;
  });
  const { port } = server.address() as AddressInfo;
  url = `https://${options.host}:${port}`;
  bootstrapObjects(store, clock, port);
  const expiry = startEventExpiry(store, clock, (error) =>
    log.error("events: could not remove old ones", { error: describeError(error) }),
  );
  const kubeconfigs = writeKubeconfigs(stateDir, url, pki);

  const loopbacks: Loopback[] = [];
  return {
    url,
    port,
    pki,
    kubeconfigs,
    loopback({ certPem }, userAgent) {
      const { subject } = new X509Certificate(certPem).toLegacyObject();
      const user = context.authenticator.fromCertificate(subject);
      const loopback = createLoopback(userAgent, (request, response) =>
        answer({ request, response, identify: () => user }),
      );
      loopbacks.push(loopback);
      return loopback;
    },
    async close() {
      expiry.cancel();
      for (const loopback of loopbacks) loopback.close();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of upgraded) socket.destroy();
      server.closeAllConnections();
      context.admission.close();
      await closed;
      store.close();
    },
  };
}

interface Exchange {
  readonly request: ApiRequest;
  readonly response: ApiResponse;
  /** Undefined for somebody unknown. */
  readonly identify: () => Identity | undefined;
}

function writeKubeconfigs(stateDir: string, url: string, pki: ClusterPki): KubeconfigPaths {
  const paths = {
    admin: join(stateDir, "kubeconfig"),
    kubelet: join(stateDir, "pki/kubelet.kubeconfig"),
    kubeProxy: join(stateDir, "pki/kube-proxy.kubeconfig"),
    controllers: join(stateDir, "pki/controllers.kubeconfig"),
  };
  for (const name of ["admin", "kubelet", "kubeProxy", "controllers"] as const) {
    writePrivate(paths[name], buildKubeconfig(url, pki.caCertPem, pki[name]));
  }
  return paths;
}
