/** HTTP calls from one service of the shop to another: keep-alive, a deadline, and every status as a value. */
import { Agent, request as httpRequest, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http";

export interface CallOptions {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Buffer | string;
  readonly timeoutMs?: number;
}

export interface CallResult {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

/**
 * Rejects when no answer came: refused, reset, or (code ETIMEDOUT) not within timeoutMs (default 10 s).
 * A kept connection may be closed by the other side just as we use it: a call that changes nothing is then made once more, on a new one.
 */
export async function call(url: string, options: CallOptions = {}): Promise<CallResult> {
  try {
    return await attempt(url, options, agent);
  } catch (error) {
    const isSafe = options.method === undefined || options.method === "GET" || options.method === "HEAD";
    if (!isSafe || !(error instanceof StaleConnectionError)) throw error;
    return await attempt(url, options, false);
  }
}

class StaleConnectionError extends Error {}

function attempt(url: string, options: CallOptions, via: Agent | false): Promise<CallResult> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      url,
      { agent: via, method: options.method ?? "GET", headers: { ...options.headers } },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
        incoming.on("end", () => {
          clearTimeout(timer);
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: Buffer.concat(chunks) });
        });
        incoming.on("error", fail);
      },
    );
    const fail = (error: Error) => {
      clearTimeout(timer);
      const isStale = outgoing.reusedSocket && "code" in error && error.code === "ECONNRESET";
      reject(isStale ? new StaleConnectionError(error.message, { cause: error }) : error);
    };
    const timeoutMs = options.timeoutMs ?? 10_000;
    const timer = setTimeout(() => {
      const late = new Error(`${url} did not answer within ${timeoutMs} ms`);
      outgoing.destroy(Object.assign(late, { code: "ETIMEDOUT" }));
    }, timeoutMs);
    outgoing.on("error", fail);
    outgoing.end(options.body);
  });
}
