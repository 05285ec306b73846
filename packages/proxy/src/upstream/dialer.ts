/**
 * Opens upstream connections: through the pod network for sidecars and gateways, plain TCP or unix sockets for a proxy that runs alone.
 * A failure is told in Envoy's words (`delayed connect error: Connection refused`). The TLS handshake is part of connecting.
 */
import { connect, type Socket } from "node:net";
import { MeshError } from "@argyle/core";
import { dialErrno, type PodNetwork } from "@argyle/pod-network";
import type { Address } from "../config/address.ts";
import { Transport } from "../io/transport.ts";
import type { ResetReason } from "../local-reply.ts";
import type { UpstreamTls } from "../tls/upstream-tls.ts";

export interface DialRequest {
  readonly address: Address;
  /** The name a program asked for, when it has no address in the pod network. */
  readonly authority: string | undefined;
  readonly timeoutMs: number;
  readonly tls: UpstreamTls | undefined;
  readonly alpn: readonly string[] | undefined;
}

export interface Dialed {
  readonly transport: Transport;
  readonly localAddress: string;
  readonly peerPrincipal: string | undefined;
  readonly alpn: string | undefined;
}

export interface Dialer {
  dial(request: DialRequest): Promise<Dialed>;
}

/** Thrown by dial(): what the router makes a local reply of. */
export class DialFailure extends Error {
  readonly reason: ResetReason;

  constructor(reason: ResetReason, cause: unknown) {
    super(reason.kind, { cause });
    this.name = "DialFailure";
    this.reason = reason;
  }
}

type OpenSocket = (request: DialRequest) => Promise<Socket>;

export function createPodDialer(network: PodNetwork, podIp: string): Dialer {
  let port = 32_768;
  return createDialer(podIp, (request) => {
    port = port >= 60_999 ? 32_768 : port + 1;
    if (request.address.kind !== "ip") return openSocket(request);
    return network.dial({
      host: request.authority ?? request.address.ip,
      port: request.address.port,
      from: { ip: podIp, port },
      timeoutMs: request.timeoutMs,
      allowHalfOpen: true,
      ...(request.authority === undefined ? {} : { authority: request.authority }),
    });
  });
}

export function createHostDialer(): Dialer {
  return createDialer("127.0.0.1", openSocket);
}

function createDialer(localIp: string, open: OpenSocket): Dialer {
  let localPort = 32_767;
  return {
    async dial(request) {
      const started = performance.now();
      localPort = localPort >= 60_999 ? 32_768 : localPort + 1;
      let socket: Socket;
      try {
        socket = await open(request);
      } catch (error) {
        throw new DialFailure(connectFailure(error), error);
      }
      const localAddress = `${localIp}:${socket.localPort ?? localPort}`;
      if (request.tls === undefined)
        return { transport: new Transport(socket), localAddress, peerPrincipal: undefined, alpn: undefined };
      const left = Math.max(1, request.timeoutMs - (performance.now() - started));
      const secured = await request.tls.secure(socket, request.alpn, left).catch((error: unknown) => {
        socket.destroy();
        if (error instanceof MeshError && error.code === "proxy.upstream.connect-timeout")
          throw new DialFailure({ kind: "connect-timeout" }, error);
        const detail = error instanceof Error ? error.message : String(error);
        throw new DialFailure({ kind: "connect-failure", detail: `TLS_error:|${detail}:TLS_error_end` }, error);
      });
      return { transport: new Transport(secured.socket), localAddress, ...secured };
    },
  };
}

function openSocket(request: DialRequest): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const { address } = request;
    if (address.kind === "internal") {
      reject(new MeshError("internal listeners are not supported", { code: "proxy.upstream.internal-address" }));
      return;
    }
    const socket =
      address.kind === "pipe"
        ? connect({ path: address.path, allowHalfOpen: true })
        : connect({ host: address.ip, port: address.port, allowHalfOpen: true, noDelay: true });
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new MeshError("connection timeout", { code: "proxy.upstream.connect-timeout", origin: "upstream" }));
    }, request.timeoutMs);
    const onError = (error: Error) => {
      clearTimeout(timer);
      reject(error);
    };
    socket.once("error", onError);
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.off("error", onError);
      resolve(socket);
    });
  });
}

const ERRNO_TEXT: Readonly<Record<string, string>> = {
  ECONNREFUSED: "Connection refused",
  ECONNRESET: "Connection reset by peer",
  EHOSTUNREACH: "No route to host",
  ENETUNREACH: "Network is unreachable",
  ENOENT: "No such file or directory",
  EADDRNOTAVAIL: "Cannot assign requested address",
  ENOTFOUND: "Name or service not known",
  EACCES: "Permission denied",
};

function connectFailure(error: unknown): ResetReason {
  const errno = dialErrno(error) ?? errnoName(error);
  const isTimeout = error instanceof MeshError && /timeout/.test(error.code);
  if (errno === "ETIMEDOUT" || isTimeout) return { kind: "connect-timeout" };
  const text = ERRNO_TEXT[errno ?? ""] ?? errno ?? (error instanceof Error ? error.message : String(error));
  return { kind: "connect-failure", detail: `delayed connect error: ${text}` };
}

function errnoName(error: unknown): string | undefined {
  return typeof error === "object" && error !== null && "code" in error && typeof error.code === "string"
    ? error.code
    : undefined;
}
