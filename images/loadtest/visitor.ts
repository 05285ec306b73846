/** One customer's browser, as far as the shop can tell: cookies, one kept connection, a deadline. Every status is a value; only silence rejects. */
import { Agent, request as httpRequest } from "node:http";

export interface Reply {
  readonly status: number;
  readonly body: string;
}

export interface Visitor {
  send(method: string, path: string, options?: { readonly json?: object; readonly basic?: string }): Promise<Reply>;
  /** Forgets the cookies, as a new customer at the same computer. */
  forget(): void;
  close(): void;
}

export function createVisitor(host: string, timeoutMs: number): Visitor {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const cookies = new Map<string, string>();
  return {
    send: (method, path, { json, basic } = {}) =>
      new Promise((resolve, reject) => {
        const body = json === undefined ? undefined : JSON.stringify(json);
        const headers: Record<string, string> = { "user-agent": "argyle-loadtest", accept: "*/*" };
        if (cookies.size > 0) headers.cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
        if (basic !== undefined) headers.authorization = `Basic ${Buffer.from(basic).toString("base64")}`;
        if (body !== undefined) headers["content-type"] = "application/json";
        headers["content-length"] = String(Buffer.byteLength(body ?? ""));
        const outgoing = httpRequest(`${host}${path}`, { agent, method, headers }, (incoming) => {
          const chunks: Buffer[] = [];
          incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
          incoming.on("error", fail);
          incoming.on("end", () => {
            clearTimeout(timer);
            for (const line of incoming.headers["set-cookie"] ?? []) {
              const [, name = "", value = ""] = /^([^=;]+)=([^;]*)/.exec(line) ?? [];
              if (value === "") cookies.delete(name);
              else cookies.set(name, value);
            }
            resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") });
          });
        });
        const fail = (error: Error) => {
          clearTimeout(timer);
          reject(error);
        };
        const timer = setTimeout(() => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
        outgoing.on("error", fail);
        outgoing.end(body);
      }),
    forget: () => cookies.clear(),
    close: () => agent.destroy(),
  };
}
