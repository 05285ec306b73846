/**
 * A small Redis client (RESP2, https://redis.io/docs/latest/develop/reference/protocol-spec/): one connection, commands pipelined, replies in order.
 * It connects at the first command and again, with back-off, after a loss; a command fails at once while there is no connection to be had, and
 * after timeoutMs when no reply comes. Only the replies that the shop's commands have: simple, error, integer, bulk.
 */
import { connect, type Socket } from "node:net";

export interface RedisClient {
  command(...args: readonly string[]): Promise<string | number | null>;
  close(): void;
}

export interface RedisClientOptions {
  readonly host: string;
  readonly port: number;
  readonly password?: string;
  readonly timeoutMs?: number;
}

type Reply = string | number | null | Error;
interface Waiter {
  resolve(reply: string | number | null): void;
  reject(error: Error): void;
}

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2000;

export function createRedisClient({ host, port, password, timeoutMs = 1000 }: RedisClientOptions): RedisClient {
  let socket: Socket | undefined;
  let waiters: Waiter[] = [];
  let retryMs = FIRST_RETRY_MS;
  let notBefore = 0;

  const lose = (lost: Socket, cause: Error) => {
    if (socket !== lost) return;
    socket = undefined;
    lost.destroy();
    notBefore = performance.now() + retryMs;
    retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
    const failed = waiters;
    waiters = [];
    for (const waiter of failed) waiter.reject(new Error(`redis at ${host}:${port} is lost`, { cause }));
  };
  const open = (): Socket => {
    if (socket !== undefined) return socket;
    if (performance.now() < notBefore) throw new Error(`redis at ${host}:${port} is out of reach`);
    const fresh = connect({ host, port, noDelay: true });
    const reader = createReplyReader((reply) => {
      retryMs = FIRST_RETRY_MS;
      const waiter = waiters.shift();
      if (reply instanceof Error) waiter?.reject(reply);
      else waiter?.resolve(reply);
    });
    fresh.on("data", (chunk: Buffer) => {
      try {
        reader(chunk);
      } catch (error) {
        lose(fresh, error instanceof Error ? error : new Error(String(error)));
      }
    });
    fresh.on("error", (error) => lose(fresh, error));
    fresh.on("close", () => lose(fresh, new Error("closed")));
    socket = fresh;
    if (password !== undefined) {
      waiters.push({ resolve: () => undefined, reject: (error) => lose(fresh, error) });
      fresh.write(encodeCommand(["AUTH", password]));
    }
    return fresh;
  };
  return {
    command: (...args) =>
      new Promise((resolve, reject) => {
        const used = open();
        const timer = setTimeout(() => lose(used, new Error(`no reply within ${timeoutMs} ms`)), timeoutMs);
        waiters.push({
          resolve(reply) {
            clearTimeout(timer);
            resolve(reply);
          },
          reject(error) {
            clearTimeout(timer);
            reject(error);
          },
        });
        used.write(encodeCommand(args));
      }),
    close() {
      if (socket !== undefined) lose(socket, new Error("the client is closed"));
    },
  };
}

function encodeCommand(args: readonly string[]): string {
  return `*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join("")}`;
}

/** Takes bytes in any pieces; throws on what is no reply. */
export function createReplyReader(onReply: (reply: Reply) => void): (chunk: Buffer) => void {
  let pending: Buffer = Buffer.alloc(0);
  return (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    for (;;) {
      const lineEnd = pending.indexOf("\r\n");
      if (lineEnd === -1) return;
      const line = pending.toString("utf8", 1, lineEnd);
      let end = lineEnd + 2;
      let reply: Reply;
      switch (String.fromCharCode(pending[0] ?? 0)) {
        case "+":
          reply = line;
          break;
        case "-":
          reply = new Error(line);
          break;
        case ":":
          reply = Number(line);
          break;
        case "$": {
          const length = Number(line);
          if (length < 0) {
            reply = null;
            break;
          }
          if (pending.length < end + length + 2) return;
          reply = pending.toString("utf8", end, end + length);
          end += length + 2;
          break;
        }
        default:
          throw new Error("redis sent a reply of an unknown type");
      }
      pending = pending.subarray(end);
      onReply(reply);
    }
  };
}
