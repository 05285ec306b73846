/** Listening on a unix path, and reading the PROXY header that opens each connection to in.sock and out.sock. */
import { chmod, mkdir, unlink } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { type Clock, errnoOf, MeshError, systemClock } from "@argyle/core";
import { decodeProxyHeader, type ProxyHeader } from "./proxy-protocol.ts";

export interface ListenOptions {
  /** Default 4096. */
  readonly backlog?: number;
  /** File mode of the socket. Default 0o700. */
  readonly mode?: number;
  readonly allowHalfOpen?: boolean;
  readonly pauseOnConnect?: boolean;
}

/** The smallest limit among the systems we run on (macOS 103, Linux 107). */
export const MAX_SOCKET_PATH_BYTES = 103;

/** Listens on a unix path: makes the directory, removes a stale socket file (one that nobody accepts on). */
export async function listenOnPath(
  path: string,
  onConnection: (socket: Socket) => void,
  options: ListenOptions = {},
): Promise<Server> {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) {
    throw new MeshError(`socket path of more than ${MAX_SOCKET_PATH_BYTES} bytes: ${path}`, {
      code: "pod-network.listen.path-too-long",
      advice: "use a shorter run directory",
    });
  }
  await mkdir(dirname(path), { recursive: true });
  const server = createServer(
    { allowHalfOpen: options.allowHalfOpen ?? true, pauseOnConnect: options.pauseOnConnect ?? false },
    onConnection,
  );
  try {
    await listen(server, path, options.backlog ?? 4096);
  } catch (error) {
    if (errnoOf(error) !== "EADDRINUSE" || (await isServed(path))) throw listenError(path, error);
    await unlink(path);
    await listen(server, path, options.backlog ?? 4096);
  }
  await chmod(path, options.mode ?? 0o700);
  return server;
}

export interface ReceiveOptions {
  readonly timeoutMs: number;
  readonly clock?: Clock;
}

/**
 * Reads the PROXY v2 header of an accepted connection; bytes after it are put back (unshift) and the socket stays paused.
 * Rejects with pod-network.proxy-header.* and destroys the socket on anything else than one valid header in time.
 */
export function receiveProxyHeader(socket: Socket, options: ReceiveOptions): Promise<ProxyHeader> {
  return new Promise((resolve, reject) => {
    let received: Buffer = Buffer.alloc(0);
    const settle = () => {
      timer.cancel();
      socket.off("readable", onReadable);
      socket.off("end", onEnd);
      socket.off("error", onError);
      socket.off("close", onEnd);
    };
    const refuse = (code: string, message: string, cause?: unknown) => {
      settle();
      socket.destroy();
      reject(new MeshError(message, { code: `pod-network.proxy-header.${code}`, origin: "downstream", cause }));
    };
    const onReadable = () => {
      const chunk: Buffer | null = socket.read();
      if (chunk === null) return;
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      const decoding = decodeProxyHeader(received);
      if (decoding.kind === "need-more") return;
      if (decoding.kind === "invalid") {
        refuse("invalid", decoding.reason);
        return;
      }
      settle();
      socket.pause();
      if (decoding.length < received.length) socket.unshift(received.subarray(decoding.length));
      resolve(decoding.header);
    };
    const onEnd = () => refuse("missing", "the connection ended before its PROXY header");
    const onError = (cause: Error) => refuse("missing", "the connection broke before its PROXY header", cause);
    const timer = (options.clock ?? systemClock).after(options.timeoutMs, () =>
      refuse("timeout", `no PROXY header within ${options.timeoutMs} ms`),
    );
    socket.on("readable", onReadable);
    socket.once("end", onEnd);
    socket.once("error", onError);
    socket.once("close", onEnd);
  });
}

function listen(server: Server, path: string, backlog: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path, backlog }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** True when somebody accepts connections there. */
function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect({ path });
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", (error) => resolve(errnoOf(error) !== "ECONNREFUSED"));
  });
}

function listenError(path: string, cause: unknown): MeshError {
  return new MeshError(`cannot listen on ${path}`, { code: "pod-network.listen.failed", cause });
}
