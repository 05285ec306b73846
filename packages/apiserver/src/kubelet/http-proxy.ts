/** Forwards an ordinary request over a connection that is already open and streams the answer back: logs and the proxy subresources. */
import { request as httpRequest, IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { describeError } from "@argyle/core";
import type { Call } from "../context.ts";
import { badRequest, failure, type StatusError } from "../status.ts";
import { readText } from "../tls-request.ts";

/** Named by RFC 9110 §7.6.1 as one connection's own, and the credentials that are not for the backend. */
const NOT_FORWARDED = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "authorization",
  "host",
]);

export interface Forward {
  readonly socket: Duplex;
  readonly method: string;
  readonly path: string;
  readonly host: string;
  /** Turns a failure of the backend into a Status instead of passing it on (logs). */
  readonly statusOnFailure: boolean;
}

export function forwardHttp(call: Call, forward: Forward): Promise<void> {
  const { request, response } = call;
  if (!(request instanceof IncomingMessage && response instanceof ServerResponse))
    throw badRequest("a stream needs a connection");
  const headers: Record<string, string | string[]> = { host: forward.host, connection: "close" };
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined && !NOT_FORWARDED.has(name)) headers[name] = value;
  }
  return new Promise((resolve, reject) => {
    const backend = httpRequest({
      method: forward.method,
      path: forward.path,
      headers,
      createConnection: () => forward.socket,
    });
    const stop = () => {
      backend.destroy();
      forward.socket.destroy();
    };
    response.on("close", stop);
    backend.on("error", (error) => {
      stop();
      if (response.headersSent) {
        response.destroy();
        resolve();
      } else reject(failure(502, "ServiceUnavailable", `error trying to reach service: ${describeError(error)}`));
    });
    backend.on("response", (answer) => {
      const code = answer.statusCode ?? 502;
      if (forward.statusOnFailure && (code < 200 || code > 206)) {
        backendFailure(answer, code).then((error) => {
          stop();
          reject(error);
        }, reject);
        return;
      }
      const passed = Object.entries(answer.headers).filter(([name]) => !NOT_FORWARDED.has(name));
      response.writeHead(code, Object.fromEntries(passed));
      response.flushHeaders();
      answer.on("error", () => response.destroy());
      answer.on("end", () => resolve());
      response.on("close", () => resolve());
      answer.pipe(response);
    });
    if (forward.method === "GET" || forward.method === "HEAD") backend.end();
    else request.pipe(backend);
  });
}

async function backendFailure(answer: IncomingMessage, code: number): Promise<StatusError> {
  const text = (await readText(answer, 64 * 1024)).trim();
  if (code === 400) return badRequest(text);
  if (code === 404)
    return failure(404, "NotFound", text === "" ? "the server could not find the requested resource" : text);
  return failure(500, "InternalError", text === "" ? `the kubelet answered ${code}` : text);
}
