/**
 * The typed client of the supervisor's socket, for the kubelet and the CLI. It reconnects by itself; a request that was under way when the
 * connection broke fails with a retryable error. Every exit reaches the listeners once: those that happened while it was away are taken from
 * `list` after reconnecting.
 */
import { createConnection, type Socket } from "node:net";
import { type Clock, MeshError, systemClock, type Timer } from "@argyle/core";
import {
  createLineReader,
  type ExitedEvent,
  type ProcessEntry,
  type ProcessStart,
  type SignalParams,
  type StartParams,
  type SupervisorMessage,
} from "./protocol.ts";

export interface SupervisorClient {
  start(params: StartParams): Promise<ProcessStart>;
  signal(params: SignalParams): Promise<void>;
  list(): Promise<readonly ProcessEntry[]>;
  forget(name: string): Promise<void>;
  shutdown(): Promise<void>;
  onExited(listener: (event: ExitedEvent) => void): () => void;
  close(): void;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: MeshError) => void;
}

const RECONNECT_MS = 50;

/** Connects; throws supervisor.unreachable when nobody listens. */
export async function connectSupervisor(
  socketPath: string,
  options: { readonly clock?: Clock } = {},
): Promise<SupervisorClient> {
  const clock = options.clock ?? systemClock;
  const waiting = new Map<number, Waiting>();
  const listeners = new Set<(event: ExitedEvent) => void>();
  const reported = new Map<string, string>();
  let socket: Socket | undefined;
  let timer: Timer | undefined;
  let nextId = 1;
  let isClosed = false;

  const report = (event: ExitedEvent) => {
    const key = `${event.pid} ${event.at}`;
    if (reported.get(event.name) === key) return;
    reported.set(event.name, key);
    for (const listener of listeners) listener(event);
  };

  const onMessage = (line: string) => {
    const message = JSON.parse(line) as SupervisorMessage;
    if ("event" in message) {
      report(message);
      return;
    }
    const waiter = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.error === undefined) waiter?.resolve(message.result);
    else waiter?.reject(new MeshError(message.error.message, { code: message.error.code }));
  };

  const connect = () =>
    new Promise<void>((resolve, reject) => {
      const next = createConnection(socketPath);
      next.setEncoding("utf8");
      const read = createLineReader(onMessage);
      next.on("data", (chunk) => read(String(chunk)));
      next.on("error", reject);
      next.on("connect", () => {
        socket = next;
        resolve();
      });
      next.on("close", () => {
        if (socket !== next) return;
        socket = undefined;
        for (const waiter of waiting.values()) waiter.reject(unreachable(socketPath));
        waiting.clear();
        scheduleReconnect();
      });
    });

  const scheduleReconnect = () => {
    if (isClosed) return;
    timer = clock.after(RECONNECT_MS, () => void reconnect(), { unref: true });
  };
  const reconnect = async () => {
    try {
      await connect();
      for (const entry of (await call("list")) as readonly ProcessEntry[]) {
        if (entry.exit !== undefined) report({ name: entry.name, ...entry.exit });
      }
    } catch {
      if (socket === undefined) scheduleReconnect();
    }
  };

  const call = (method: string, params?: unknown): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (socket === undefined) {
        reject(unreachable(socketPath));
        return;
      }
      const id = nextId++;
      waiting.set(id, { resolve, reject });
      socket.write(`${JSON.stringify({ id, method, params })}\n`);
    });

  try {
    await connect();
  } catch (error) {
    throw unreachable(socketPath, error);
  }
  return {
    start: async (params) => (await call("start", params)) as ProcessStart,
    signal: async (params) => void (await call("signal", params)),
    list: async () => (await call("list")) as readonly ProcessEntry[],
    async forget(name) {
      await call("forget", { name });
      reported.delete(name);
    },
    shutdown: async () => void (await call("shutdown")),
    onExited(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close() {
      isClosed = true;
      timer?.cancel();
      socket?.destroy();
    },
  };
}

function unreachable(path: string, cause?: unknown): MeshError {
  return new MeshError(`no supervisor answers at ${path}`, { code: "supervisor.unreachable", retryable: true, cause });
}
