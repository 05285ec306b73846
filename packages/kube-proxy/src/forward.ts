/**
 * One accepted connection on its way to an endpoint: choose, dial, relay. Round robin from a random start; when the chosen endpoint
 * refuses, the next one is tried, and all of them again for a second (a program that is restarting), before the client is reset.
 * A full backlog (EAGAIN) is the dialer's to retry.
 */
import type { Socket } from "node:net";
import { backoffDelay, type Clock, describeError, type Logger, MeshError, sleep } from "@argyle/core";
import { type DialOptions, dialErrno, type PodNetwork, type ProxyHeader, relay } from "@argyle/pod-network";
import type { Backend } from "./routes.ts";

export interface ForwarderDeps {
  readonly podNetwork: PodNetwork;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
}

/** Who dials: the pod, or a client of the host by its own address. */
export interface Source {
  readonly ip: string;
  readonly port: number;
}

export interface Forwarder {
  /** Takes over a paused socket; resolves when the connection is over. Never rejects. */
  forward(client: Accepted, target: Target): Promise<void>;
  /** Only the way to the endpoint; the caller owns the socket. Rejects with a MeshError. */
  dial(target: Target, source: Source | undefined, signal: AbortSignal): Promise<Socket>;
  /** Ends every connection. */
  close(): void;
}

export interface Accepted {
  readonly socket: Socket;
  readonly source?: Source;
  /** The header it was opened with, for a real reset. */
  readonly header?: ProxyHeader;
}

export type Target =
  | {
      readonly kind: "backends";
      /** For the log and for taking turns. */
      readonly name: string;
      /** Read at each try: endpoints may come while a connection waits. */
      readonly backends: () => readonly Backend[];
      readonly authority?: string;
    }
  | { readonly kind: "address"; readonly dial: Omit<DialOptions, "timeoutMs" | "signal"> }
  | { readonly kind: "refused"; readonly reason: string };

const CONNECT_TIMEOUT_MS = 5000;
const REFUSED_GRACE_MS = 1000;
const RETRY = { baseMs: 5, maxMs: 100 };

export function createForwarder(deps: ForwarderDeps): Forwarder {
  const { podNetwork, clock } = deps;
  const log = deps.log.scope("forward");
  const turns = new Map<string, number>();
  const open = new Set<Socket>();

  const nextTurn = (name: string): number => {
    const turn = turns.get(name) ?? Math.floor(deps.random() * 1024);
    turns.set(name, turn + 1);
    return turn;
  };

  const dialBackend = (
    backend: Backend,
    source: Source | undefined,
    authority: string | undefined,
    signal: AbortSignal,
  ) =>
    podNetwork.dial({
      host: backend.ip,
      port: backend.port,
      timeoutMs: CONNECT_TIMEOUT_MS,
      signal,
      // An endpoint on the host's network sees the host, as on a node.
      ...(source !== undefined && podNetwork.isPodNetworkAddress(backend.ip) ? { from: source } : {}),
      ...(authority === undefined ? {} : { authority }),
    });

  const dialAny = async (
    target: Target & { readonly kind: "backends" },
    source: Source | undefined,
    signal: AbortSignal,
  ): Promise<Socket> => {
    const until = clock.monotonic() + REFUSED_GRACE_MS;
    for (let attempt = 0; ; attempt++) {
      const backends = target.backends();
      const first = nextTurn(target.name);
      let failure: unknown;
      for (let i = 0; i < backends.length; i++) {
        const backend = backends[(first + i) % backends.length];
        if (backend === undefined) continue;
        try {
          return await dialBackend(backend, source, target.authority, signal);
        } catch (thrown) {
          failure = thrown;
          if (signal.aborted || !isRefusal(thrown)) throw thrown;
        }
      }
      if (backends.length === 0 || clock.monotonic() >= until)
        throw failure ?? new MeshError("no ready endpoint", { code: "kube-proxy.no-endpoint", origin: "upstream" });
      await sleep(clock, backoffDelay(RETRY, attempt, deps.random), signal);
    }
  };

  const dialTarget = (target: Target, source: Source | undefined, signal: AbortSignal): Promise<Socket> => {
    switch (target.kind) {
      case "backends":
        return dialAny(target, source, signal);
      case "address":
        return podNetwork.dial({ ...target.dial, timeoutMs: CONNECT_TIMEOUT_MS, signal });
      case "refused":
        return Promise.reject(new MeshError(target.reason, { code: "kube-proxy.refused", origin: "downstream" }));
    }
  };

  return {
    dial: dialTarget,
    async forward({ socket, source, header }, target) {
      const abort = new AbortController();
      const onGone = () => abort.abort(new MeshError("the client has gone", { code: "kube-proxy.client-gone" }));
      // relay() listens for errors of its own; until then a client that breaks must not end the process.
      socket.on("error", onGone);
      socket.once("close", onGone);
      open.add(socket);
      try {
        const upstream = await dialTarget(target, source, abort.signal);
        socket.off("close", onGone);
        const over = relay(socket, upstream, {
          clock,
          reset: (side, which) => podNetwork.reset(side, which === "a" ? header : undefined),
        });
        // A client that ended together with its header has told so before relay() listened.
        if (socket.readableEnded && upstream.writable) upstream.end();
        socket.resume();
        upstream.resume();
        await over;
      } catch (thrown) {
        log.debug("cannot connect", { to: nameOf(target), error: describeError(thrown) });
        podNetwork.reset(socket, header);
      } finally {
        open.delete(socket);
      }
    },
    close() {
      for (const socket of open) socket.destroy();
    },
  };
}

/** The endpoint is not there (yet, any more): another one may be. */
function isRefusal(thrown: unknown): boolean {
  return ["ECONNREFUSED", "EHOSTUNREACH", "ENOENT"].includes(dialErrno(thrown) ?? "");
}

function nameOf(target: Target): string {
  switch (target.kind) {
    case "backends":
      return target.name;
    case "address":
      return `${target.dial.host}:${target.dial.port}`;
    case "refused":
      return "nowhere";
  }
}
