/**
 * Redirects outgoing connections: net.Socket.prototype.connect for everything that Node dials itself, and tls.connect, because a TLS socket
 * that Node makes on its own owns a TCP handle and would encrypt our PROXY header. http, https, http2, fetch (undici), pg, grpc-js and
 * the rest end in one of these two.
 */
import net, { type Socket } from "node:net";
import tls, { type ConnectionOptions } from "node:tls";
import { authorityTlv, encodeProxyHeader, proxyHeader } from "../proxy-protocol.ts";
import { resetTokenTlv, watchForReset } from "../reset.ts";
import { capturedSockets, nextEphemeralPort } from "./captured.ts";
import type { PreloadConfig } from "./config.ts";
import type { PrivateNode } from "./private-node.ts";
import type { Route, Router } from "./route.ts";

type SocketRoute = Extract<Route, { kind: "socket" }>;

/** Options of a TCP dial that mean nothing, or harm, on a unix socket. A custom `lookup` is ignored: names are the sidecar's business. */
const TCP_ONLY = [
  "host",
  "port",
  "family",
  "localAddress",
  "localPort",
  "lookup",
  "hints",
  "autoSelectFamily",
  "autoSelectFamilyAttemptTimeout",
] as const;

export function patchConnect(config: PreloadConfig, router: Router, node: PrivateNode): void {
  const connectAsNode = node.socketPrototype.connect;

  node.socketPrototype.connect = function connect(this: Socket, ...args: unknown[]): Socket {
    const normalized = node.isNormalized(args[0]) ? args[0] : node.normalizeArgs(args);
    const [options, callback] = normalized;
    const route = routeOf(options, router);
    switch (route.kind) {
      case "host":
        return connectAsNode.call(this, normalized);
      case "not-found":
        return connectAsNode.call(this, { ...options, lookup: failLookup }, callback);
      case "socket":
        return connectCaptured(this, route, options, callback);
    }
  };

  const connectCaptured = (
    socket: Socket,
    route: SocketRoute,
    options: Record<string, unknown>,
    callback: unknown,
  ): Socket => {
    const local = { ip: config.podIP, port: nextEphemeralPort() };
    const reset = resetTokenTlv();
    capturedSockets.set(socket, { local, peer: route.peer, resetToken: reset.token });
    sayErrorsAsTcp(socket, route);
    const unixOptions: Record<string, unknown> = { ...options, path: route.path };
    for (const name of TCP_ONLY) delete unixOptions[name];
    connectAsNode.call(socket, unixOptions, callback);
    if (route.header === undefined) return socket;
    const { destination, authority } = route.header;
    watchForReset(socket, config.runDir, reset.token);
    const tlvs = authority === undefined ? [reset.tlv] : [authorityTlv(authority), reset.tlv];
    const header = encodeProxyHeader(proxyHeader(local, destination, tlvs));
    // Queued until the connection is there, so it is always first on the wire.
    socket.write(header);
    hideBytes(socket, header.length);
    return socket;
  };

  const tlsConnectAsNode = tls.connect;
  const tlsConnect = (...args: unknown[]): tls.TLSSocket => {
    const { options, callback } = tlsArguments(node, args);
    const route = options.socket === undefined ? routeOf({ ...options }, router) : undefined;
    if (route === undefined || route.kind === "host") return Reflect.apply(tlsConnectAsNode, tls, args);
    const host = options.host ?? "localhost";
    const socket = net.connect({ host, port: Number(options.port) });
    const servername = options.servername ?? (net.isIP(host) === 0 ? host.replace(/\.$/, "") : "");
    const secured = tlsConnectAsNode({ ...options, socket, servername }, callback);
    const captured = capturedSockets.get(socket);
    if (captured === undefined) return secured;
    capturedSockets.set(secured, captured);
    if (captured.resetToken !== undefined) watchForReset(secured, config.runDir, captured.resetToken);
    return secured;
  };
  Object.assign(tls, { connect: tlsConnect });
}

function routeOf(options: Record<string, unknown>, router: Router): Route {
  const port = Number(options.port);
  // http's agents pass `path: null`; Node takes a path for a unix socket only when it is not empty.
  if (options.path || options.port === undefined || !Number.isInteger(port)) return { kind: "host" };
  return router.route(typeof options.host === "string" && options.host !== "" ? options.host : "localhost", port);
}

/** tls.connect(options, cb), (port, host, options, cb), (port, options, cb): later option objects win, as in Node. */
function tlsArguments(
  node: PrivateNode,
  args: unknown[],
): { readonly options: ConnectionOptions; readonly callback: (() => void) | undefined } {
  const [first, callback] = node.normalizeArgs(args);
  const extra = [args[1], args[2]].find((arg) => typeof arg === "object" && arg !== null);
  // The arguments are what the program passed to tls.connect; Node checks them when it uses them.
  return {
    options: { ...first, ...(extra as ConnectionOptions | undefined) } as ConnectionOptions,
    callback: (callback as (() => void) | null) ?? undefined,
  };
}

type LookupCallback = (error: Error, address: string, family: number) => void;

function failLookup(hostname: string, _options: unknown, callback: LookupCallback): void {
  process.nextTick(callback, nameNotFound(hostname), "", 0);
}

export function nameNotFound(hostname: string, syscall = "getaddrinfo"): Error {
  return Object.assign(new Error(`${syscall} ENOTFOUND ${hostname}`), {
    errno: -3008,
    code: "ENOTFOUND",
    syscall,
    hostname,
  });
}

/** A connect error names the pod address, and errno is what TCP would have given. */
function sayErrorsAsTcp(socket: Socket, route: SocketRoute): void {
  const destroyAsNode = socket._destroy;
  socket._destroy = function destroy(this: Socket, error, done) {
    if (
      error !== null &&
      "syscall" in error &&
      error.syscall === "connect" &&
      "address" in error &&
      error.address === route.path
    )
      sayAsTcp(error, route);
    destroyAsNode.call(this, error, done);
  };
}

function sayAsTcp(error: Error, route: SocketRoute): void {
  const { ip, port } = route.peer;
  const code =
    "code" in error && (error.code === "ENOENT" || error.code === "EAGAIN") ? "ECONNREFUSED" : errorCode(error);
  error.message = `connect ${code} ${ip}:${port}`;
  Object.assign(error, {
    code,
    errno: code === "ECONNREFUSED" ? -111 : Reflect.get(error, "errno"),
    address: ip,
    port,
  });
}

function errorCode(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : "ECONNREFUSED";
}

/** The program did not write the header, so it is not in its count. */
function hideBytes(socket: Socket, hidden: number): void {
  const counted = Object.getOwnPropertyDescriptor(net.Socket.prototype, "bytesWritten")?.get;
  if (counted === undefined) return;
  Object.defineProperty(socket, "bytesWritten", {
    configurable: true,
    get(this: Socket) {
      const all: unknown = counted.call(this);
      return typeof all === "number" ? Math.max(0, all - hidden) : all;
    },
  });
}
