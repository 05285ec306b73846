/** Requests with node:http2 against a proxy under test, and an upstream of node:http2; for tests. */
import { once } from "node:events";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import type { TestScope } from "./harness.ts";

export interface Answer {
  readonly status: number;
  readonly headers: http2.IncomingHttpHeaders;
  readonly body: Buffer;
  readonly trailers: http2.IncomingHttpHeaders | undefined;
  readonly early: readonly number[];
}

export interface Question {
  readonly head?: http2.OutgoingHttpHeaders;
  readonly body?: Buffer | undefined;
  readonly trailers?: http2.OutgoingHttpHeaders | undefined;
}

export async function connectHttp2(
  scope: TestScope,
  port: number,
  options?: http2.SecureClientSessionOptions,
): Promise<http2.ClientHttp2Session> {
  const scheme = options?.ca === undefined ? "http" : "https";
  const session = http2.connect(`${scheme}://127.0.0.1:${port}`, options);
  session.on("error", () => undefined);
  scope.after(() => session.destroy());
  await once(session, "connect");
  return session;
}

/** Rejects with the stream's error when it is reset. */
export function ask(session: http2.ClientHttp2Session, question: Question = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { head = {}, body, trailers } = question;
    const stream = session.request(
      { ":path": "/", ":authority": "shop", ...head },
      { waitForTrailers: trailers !== undefined, endStream: body === undefined && trailers === undefined },
    );
    const pieces: Buffer[] = [];
    let headers: http2.IncomingHttpHeaders = {};
    let received: http2.IncomingHttpHeaders | undefined;
    const early: number[] = [];
    stream.on("headers", (got: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader) => {
      early.push(got[":status"] ?? 0);
    });
    stream.on("response", (got) => {
      headers = got;
    });
    stream.on("trailers", (got) => {
      received = got;
    });
    stream.on("wantTrailers", () => stream.sendTrailers(trailers ?? {}));
    stream.on("data", (piece: Buffer) => pieces.push(piece));
    stream.on("error", reject);
    stream.on("close", () => {
      if (stream.rstCode !== 0) reject(new Error(`reset with ${stream.rstCode}`));
      else
        resolve({
          status: Number(headers[":status"] ?? 0),
          headers,
          body: Buffer.concat(pieces),
          trailers: received,
          early,
        });
    });
    if (body !== undefined || trailers !== undefined) stream.end(body);
  });
}

export interface Http2Upstream {
  readonly port: number;
  sessions(): number;
}

export async function startHttp2Upstream(
  scope: TestScope,
  onStream: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void,
  options?: http2.ServerOptions,
): Promise<Http2Upstream> {
  const server = http2.createServer(options ?? {});
  const open = new Set<http2.ServerHttp2Session>();
  let count = 0;
  server.on("session", (session) => {
    count += 1;
    open.add(session);
    session.on("error", () => undefined);
    session.on("close", () => open.delete(session));
  });
  server.on("stream", (stream, headers) => {
    stream.on("error", () => undefined);
    onStream(stream, headers);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  scope.after(() => {
    for (const session of open) session.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, sessions: () => count };
}

/** typed_extension_protocol_options of a cluster that is spoken to in HTTP/2. */
export function http2Options(options: object = {}, shared: object = {}): object {
  return {
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        common_http_protocol_options: shared,
        explicit_http_config: { http2_protocol_options: options },
      },
    },
  };
}
