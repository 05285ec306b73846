/**
 * The broker's sockets. A client that does not read gets no more deliveries until it does; while messages fill the memory limit, clients that
 * publish are not read from (RabbitMQ's memory alarm). Without a directory everything is in memory.
 */
import { randomBytes } from "node:crypto";
import { createServer, type Server, type Socket } from "node:net";
import type { Authenticate } from "./broker/authentication.ts";
import { type Broker, createBroker } from "./broker/broker.ts";
import { type Connection, createConnection } from "./broker/connection.ts";
import { type Journal, openJournal } from "./journal.ts";

export interface RabbitOptions {
  readonly authenticate?: Authenticate;
  /** Where durable things are kept. */
  readonly dir?: string;
  readonly memoryLimitBytes?: number;
  readonly now?: () => number;
}

export interface RabbitServer {
  readonly server: Server;
  readonly broker: Broker;
  readonly startedAtMs: number;
  connections(): readonly Connection[];
  /** Memory is short: publishers wait. */
  isAlarmed(): boolean;
  close(): Promise<void>;
}

export const PRODUCT = { name: "Argyle broker (RabbitMQ protocol)", version: "3.13.7" } as const;

const EXPIRY_MS = 20;
const HEARTBEAT_CHECK_MS = 1000;
const GOODBYE_MS = 500;
const MAX_UNREAD_BYTES = 1024 * 1024;
const DEFAULT_MEMORY_LIMIT = 256 * 1024 * 1024;

export function createRabbitServer(options: RabbitOptions = {}): RabbitServer {
  const now = options.now ?? Date.now;
  const memoryLimitBytes = options.memoryLimitBytes ?? DEFAULT_MEMORY_LIMIT;
  const journal: Journal | undefined = options.dir === undefined ? undefined : openJournal(options.dir);
  const broker = createBroker({ now, ...(journal === undefined ? {} : { record: journal.append }) });
  for (const record of journal?.ledger.kept() ?? []) broker.restore(record);

  const sockets = new Map<Connection, Socket>();
  let isAlarmed = false;
  let isClosing = false;
  let closed: Promise<void> | undefined;

  const checkMemory = () => {
    let bytes = 0;
    for (const queue of broker.queues.values()) bytes += queue.readyBytes + queue.unackedBytes;
    const isOver = bytes > memoryLimitBytes;
    if (isOver === isAlarmed) return;
    isAlarmed = isOver;
    for (const [connection, socket] of sockets) {
      connection.setBlocked(isAlarmed);
      if (!isAlarmed) socket.resume();
      else if (connection.isPublisher) socket.pause();
    }
  };

  const server = createServer((socket) => {
    socket.setNoDelay(true);
    let isCorked = false;
    const connection = createConnection({
      broker,
      now,
      name: `${socket.remoteAddress ?? "?"}:${socket.remotePort ?? 0} -> ${socket.localAddress ?? "?"}:${socket.localPort ?? 0}`,
      authenticate: options.authenticate ?? ((user, password) => user === "guest" && password === "guest"),
      product: PRODUCT,
      newName: (prefix) => `${prefix}${randomBytes(16).toString("base64url")}`,
      write(bytes) {
        if (socket.destroyed) return;
        // Everything that one turn of the event loop has to say is one write.
        if (!isCorked) {
          isCorked = true;
          socket.cork();
          process.nextTick(() => {
            isCorked = false;
            socket.uncork();
          });
        }
        socket.write(bytes);
        if (socket.writableLength > MAX_UNREAD_BYTES) connection.setWritable(false);
      },
      end: () => socket.end(),
    });
    sockets.set(connection, socket);
    socket.on("data", (chunk) => {
      connection.receive(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
      checkMemory();
      if (isAlarmed && connection.isPublisher) socket.pause();
    });
    socket.on("drain", () => connection.setWritable(true));
    // How a client goes away makes no difference: what it had not acknowledged goes back.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      sockets.delete(connection);
      connection.lost();
      if (!isClosing) checkMemory();
    });
  });
  const expiry = setInterval(() => {
    broker.tick();
    checkMemory();
  }, EXPIRY_MS);
  const heartbeats = setInterval(() => {
    for (const connection of sockets.keys()) connection.tick();
  }, HEARTBEAT_CHECK_MS);
  expiry.unref();
  heartbeats.unref();

  return {
    server,
    broker,
    startedAtMs: now(),
    connections: () => [...sockets.keys()],
    isAlarmed: () => isAlarmed,
    close() {
      closed ??= close();
      return closed;
    },
  };

  function close(): Promise<void> {
    isClosing = true;
    clearInterval(expiry);
    clearInterval(heartbeats);
    for (const connection of sockets.keys()) connection.shutDown();
    return new Promise((resolve) => {
      const deadline = setTimeout(() => {
        for (const socket of sockets.values()) socket.destroy();
      }, GOODBYE_MS);
      server.close(() => {
        clearTimeout(deadline);
        journal?.close();
        resolve();
      });
    });
  }
}
