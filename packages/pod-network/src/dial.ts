/**
 * The dialer: one connection to an address or name of the pod network, or to the world. Decides which unix socket stands for it, opens it
 * within the time given and says what TCP would have said when it fails.
 *
 *   own IP or via "app" -> <ip>/<port>.sock | other pod -> <ip>/in.sock + PROXY v2, without it <ip>/<port>.sock
 *   loopback of a pod -> its <port>.sock, else the host | anything else -> TCP | via "out" -> own out.sock + PROXY v2
 *
 * Invariant: a pod that has an in.sock is never reached around it, not even while nobody listens on it.
 */
import { access } from "node:fs/promises";
import { connect, isIPv4, type NetConnectOpts, type Socket } from "node:net";
import { backoffDelay, type Clock, errnoOf, MeshError, sleep } from "@argyle/core";
import type { Resolution } from "./cluster-dns.ts";
import { isLoopbackAddress } from "./ip-address.ts";
import { authorityTlv, type Endpoint, encodeProxyHeader, proxyHeader, type Tlv } from "./proxy-protocol.ts";
import { resetTokenTlv, watchForReset } from "./reset.ts";

export interface DialOptions {
  /** The address or name asked for. Names are looked up in cluster DNS first (namespace "default" when none is given), then by the host. */
  readonly host: string;
  readonly port: number;
  /** The pod that dials. Its own IP goes to its own `<port>.sock`; without it, we are the host. Port: default a made-up ephemeral one. */
  readonly from?: { readonly ip: string; readonly port?: number };
  readonly namespace?: string;
  /** Includes retries of a full backlog (EAGAIN). */
  readonly timeoutMs: number;
  /**
   * "app": always `<port>.sock`, never in.sock (a sidecar's own program, a kubelet probe of the program). "out": by the out.sock of `from`, as
   * the preload does; the host must be an address, 0.0.0.0 when only the authority is known. Default "auto".
   */
  readonly via?: "auto" | "app" | "out";
  /** What the PROXY header says was asked for, when it is not host:port (a Service VIP in front of a pod). */
  readonly destination?: Endpoint;
  /** Sent as PP2_TYPE_AUTHORITY. */
  readonly authority?: string;
  readonly tlvs?: readonly Tlv[];
  /** Default true: an end from the peer does not close our side. */
  readonly allowHalfOpen?: boolean;
  readonly signal?: AbortSignal;
}

export interface DialDeps {
  readonly runDir: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly socketPath: (ip: string, port: number | "in" | "out") => string;
  readonly podDir: (ip: string) => string;
  readonly isPodNetworkAddress: (ip: string) => boolean;
  readonly isPodAddress: (ip: string) => boolean;
  readonly resolve: (name: string, namespace: string) => Promise<Resolution>;
  readonly nextEphemeralPort: () => number;
}

const RETRY = { baseMs: 1, maxMs: 25 };

/** Node's numbers of the errors that we make ourselves (negative errno of Linux; only `code` is meant to be matched). */
const ERRNO: Readonly<Record<string, number>> = {
  ECONNREFUSED: -111,
  ETIMEDOUT: -110,
  EHOSTUNREACH: -113,
  ENOTFOUND: -3008,
};
const CODES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refused",
  ETIMEDOUT: "timeout",
  EHOSTUNREACH: "no-route",
  ENETUNREACH: "no-route",
  ENOTFOUND: "name-not-found",
  ECONNRESET: "reset",
};

export async function dial(options: DialOptions, deps: DialDeps): Promise<Socket> {
  const deadline = deps.clock.monotonic() + options.timeoutMs;
  const timeout = new AbortController();
  const timer = deps.clock.after(options.timeoutMs, () => timeout.abort(systemError("ETIMEDOUT", options)));
  const onAbort = () => timeout.abort(options.signal?.reason);
  options.signal?.addEventListener("abort", onAbort, { once: true });
  try {
    options.signal?.throwIfAborted();
    const addresses = await addressesOf(options, deps);
    let failure: unknown;
    for (const address of addresses) {
      try {
        return await dialAddress(address, options, deps, timeout.signal);
      } catch (error) {
        if (options.signal?.aborted === true) throw options.signal.reason;
        failure = timeout.signal.aborted ? timeout.signal.reason : error;
        if (deps.clock.monotonic() >= deadline) break;
      }
    }
    throw failure ?? systemError("ENOTFOUND", options);
  } catch (error) {
    if (options.signal?.aborted === true) throw options.signal.reason;
    throw dialError(error, options);
  } finally {
    timer.cancel();
    options.signal?.removeEventListener("abort", onAbort);
  }
}

/** The errno a dial failed with, from the MeshError that dial() throws: ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENOTFOUND, ... */
export function dialErrno(thrown: unknown): string | undefined {
  return thrown instanceof MeshError && thrown.code.startsWith("pod-network.dial.") ? errnoOf(thrown.cause) : undefined;
}

/** The addresses to try in order; a headless Service's are begun at a random one, as clients of DNS do. */
async function addressesOf(options: DialOptions, deps: DialDeps): Promise<readonly string[]> {
  // Not isIP: its expression for IPv6 takes V8 tens of milliseconds to compile, and no name has a colon.
  if (isIPv4(options.host) || options.host.includes(":") || options.host === "localhost") return [options.host];
  const resolution = await deps.resolve(options.host, options.namespace ?? "default");
  switch (resolution.kind) {
    case "found": {
      const { addresses } = resolution;
      const first = Math.floor(deps.random() * addresses.length);
      return [...addresses.slice(first), ...addresses.slice(0, first)];
    }
    case "unknown":
      return [];
    case "external":
      return [options.host.replace(/\.$/, "")];
  }
}

async function dialAddress(
  address: string,
  options: DialOptions,
  deps: DialDeps,
  signal: AbortSignal,
): Promise<Socket> {
  const { from, port } = options;
  if (options.via === "out") {
    if (from === undefined) throw new MeshError("via out needs a pod", { code: "pod-network.dial.no-pod" });
    const source = { ip: from.ip, port: from.port ?? deps.nextEphemeralPort() };
    const destination = options.destination ?? { ip: address, port };
    return await connectUnix(deps.socketPath(from.ip, "out"), options, deps, signal, { source, destination });
  }
  if (address === "localhost" || isLoopbackAddress(address)) {
    if (from !== undefined) {
      const own = await connectUnix(deps.socketPath(from.ip, port), options, deps, signal, undefined).catch(
        ignoreAbsent,
      );
      if (own !== undefined) return own;
    }
    return await connectTcp(address, options, signal);
  }
  if (!deps.isPodNetworkAddress(address)) return await connectTcp(address, options, signal);

  const destination = options.destination ?? { ip: address, port };
  if (from?.ip !== address && options.via !== "app") {
    const path = deps.socketPath(address, "in");
    const source = { ip: from?.ip ?? "127.0.0.1", port: from?.port ?? deps.nextEphemeralPort() };
    const viaProxy = await connectUnix(path, options, deps, signal, { source, destination }).catch((error: unknown) => {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    });
    if (viaProxy !== undefined) return viaProxy;
  }
  try {
    return await connectUnix(deps.socketPath(address, port), options, deps, signal, undefined);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
    // A pod that is gone has no route; a pod that is there but does not listen, or a Service without that port, refuses.
    const isThere = !deps.isPodAddress(address) || (await exists(deps.podDir(address)));
    throw systemError(isThere ? "ECONNREFUSED" : "EHOSTUNREACH", options, address);
  }
}

interface ProxyEnds {
  readonly source: Endpoint;
  readonly destination: Endpoint;
}

/** Connects to a unix path, again and again while its backlog is full. */
async function connectUnix(
  path: string,
  options: DialOptions,
  deps: DialDeps,
  signal: AbortSignal,
  ends: ProxyEnds | undefined,
): Promise<Socket> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const socket = await connectOnce({ path, allowHalfOpen: options.allowHalfOpen ?? true }, signal);
      if (ends !== undefined) sendHeader(socket, options, deps, ends);
      return socket;
    } catch (error) {
      if (errnoOf(error) !== "EAGAIN") throw error;
      await sleep(deps.clock, backoffDelay(RETRY, Math.min(attempt, 8), deps.random), signal);
    }
  }
}

function sendHeader(socket: Socket, options: DialOptions, deps: DialDeps, ends: ProxyEnds): void {
  const reset = resetTokenTlv();
  const authority = options.authority === undefined ? [] : [authorityTlv(options.authority)];
  const tlvs = [...authority, ...(options.tlvs ?? []), reset.tlv];
  watchForReset(socket, deps.runDir, reset.token);
  socket.write(encodeProxyHeader(proxyHeader(ends.source, ends.destination, tlvs)));
}

function connectTcp(host: string, options: DialOptions, signal: AbortSignal): Promise<Socket> {
  return connectOnce({ host, port: options.port, noDelay: true, allowHalfOpen: options.allowHalfOpen ?? true }, signal);
}

function connectOnce(options: NetConnectOpts, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const socket = connect(options);
    const settle = () => {
      socket.off("error", onError);
      socket.off("connect", onConnect);
      signal.removeEventListener("abort", onAbort);
    };
    const onAbort = () => {
      settle();
      // A connection that fails while it is being given up has nobody to tell.
      socket.on("error", () => undefined);
      socket.destroy();
      reject(signal.reason);
    };
    const onError = (error: Error) => {
      settle();
      reject(error);
    };
    const onConnect = () => {
      settle();
      resolve(socket);
    };
    socket.once("error", onError);
    socket.once("connect", onConnect);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

function ignoreAbsent(error: unknown): undefined {
  const errno = errnoOf(error);
  if (errno === "ENOENT" || errno === "ECONNREFUSED") return undefined;
  throw error;
}

function dialError(cause: unknown, options: DialOptions): MeshError {
  const errno = errnoOf(cause);
  const said = errno === "ENOENT" ? systemError("ECONNREFUSED", options) : cause;
  return new MeshError(`cannot connect to ${options.host}:${options.port}`, {
    code: `pod-network.dial.${CODES[errnoOf(said) ?? ""] ?? "failed"}`,
    origin: "upstream",
    retryable: true,
    cause: errno === "ECONNREFUSED" ? systemError("ECONNREFUSED", options) : said,
  });
}

/** `connect ECONNREFUSED 10.244.0.5:8080`, as Node words it for TCP. */
function systemError(code: string, options: DialOptions, address = options.host): Error {
  const isName = code === "ENOTFOUND";
  const message = isName ? `getaddrinfo ENOTFOUND ${options.host}` : `connect ${code} ${address}:${options.port}`;
  return Object.assign(new Error(message), {
    errno: ERRNO[code],
    code,
    syscall: isName ? "getaddrinfo" : "connect",
    ...(isName ? { hostname: options.host } : { address, port: options.port }),
  });
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
