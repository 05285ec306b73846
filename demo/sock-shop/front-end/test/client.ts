/** A client with cookies, as a browser or the load test keeps them, and without the headers that only browsers send. */
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  json(): unknown;
}

export interface Client {
  send(method: string, path: string, options?: SendOptions): Promise<Answer>;
  logIn(username: string, password: string): Promise<Answer>;
  readonly cookies: Map<string, string>;
}

export interface SendOptions {
  readonly json?: unknown;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function createClient(url: string): Client {
  const cookies = new Map<string, string>();
  const { hostname, port } = new URL(url);
  const send: Client["send"] = (method, path, { json, body, headers = {} } = {}) =>
    new Promise((resolve, reject) => {
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
      const payload = json === undefined ? body : JSON.stringify(json);
      const outgoing = httpRequest(
        {
          hostname,
          port,
          method,
          path,
          agent: false,
          headers: {
            ...(cookie === "" ? {} : { cookie }),
            ...(json === undefined ? {} : { "content-type": "application/json" }),
            ...(payload === undefined ? {} : { "content-length": Buffer.byteLength(payload) }),
            ...headers,
          },
        },
        (incoming) => {
          const chunks: Buffer[] = [];
          incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
          incoming.on("error", reject);
          incoming.on("end", () => {
            for (const line of incoming.headers["set-cookie"] ?? []) {
              const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
              if (value === "") cookies.delete(name);
              else cookies.set(name, value);
            }
            const text = Buffer.concat(chunks).toString("utf8");
            resolve({
              status: incoming.statusCode ?? 0,
              headers: incoming.headers,
              text,
              json: () => JSON.parse(text),
            });
          });
        },
      );
      outgoing.on("error", reject);
      outgoing.end(payload);
    });
  return {
    send,
    cookies,
    logIn: (username, password) =>
      send("GET", "/login", {
        headers: { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}` },
      }),
  };
}
