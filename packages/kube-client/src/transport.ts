/**
 * One exchange with the API server, and how it is done over node:http(s): credentials, connection pool, a caller's own way to open the byte stream.
 * Knows nothing of Kubernetes; rest.ts gives meaning to what comes back. In the API server's own process its loopback is the transport.
 */
import { readFileSync } from "node:fs";
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest, type RequestOptions } from "node:https";
import { isIP, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type ConnectionOptions, connect as tlsConnect } from "node:tls";
import { MeshError } from "@argyle/core";
import type { KubeClientOptions } from "./connection.ts";
import { createLineSplitter } from "./watch.ts";

export interface TransportRequest {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
  /** Not timed, not pooled. */
  readonly isWatch?: boolean;
  readonly signal?: AbortSignal;
}

export interface TransportResponse {
  readonly statusCode: number;
  readonly contentType: string;
  text(): Promise<string>;
  /** As they come; the last one when the server ends the answer. */
  lines(): AsyncIterable<string>;
}

export interface Transport {
  send(request: TransportRequest): Promise<TransportResponse>;
  /** The connection was taken from the pool and failed before an answer: the server may have closed it while it was idle. */
  isReusedConnectionError(thrown: unknown): boolean;
  close(): void;
}

export function createTransport(options: KubeClientOptions): Transport {
  const url = new URL(options.server);
  const isTls = url.protocol === "https:";
  const address = { host: url.hostname.replace(/^\[|\]$/g, ""), port: Number(url.port || (isTls ? 443 : 80)) };
  const servername = options.tlsServerName ?? (isIP(address.host) === 0 ? address.host : "");
  const tls = {
    servername,
    ALPNProtocols: ["http/1.1"],
    ...(options.ca === undefined ? {} : { ca: options.ca }),
    ...(options.cert === undefined ? {} : { cert: options.cert }),
    ...(options.key === undefined ? {} : { key: options.key }),
  };
  const newAgent = (keepAlive: boolean) => {
    const agent = isTls ? new HttpsAgent({ keepAlive, ...tls }) : new HttpAgent({ keepAlive });
    const { connect } = options;
    if (connect !== undefined)
      dialThrough(agent, () => connect(address), isTls ? { ...tls, host: address.host } : undefined);
    return agent;
  };
  const pooled = newAgent(true);
  const unpooled = newAgent(false);
  const reused = new WeakSet<object>();
  const prefix = url.pathname.replace(/\/$/, "");

  const headersOf = (request: TransportRequest): Record<string, string> => {
    const token = options.tokenFile === undefined ? options.token : readFileSync(options.tokenFile, "utf8").trim();
    const headers: Record<string, string> = { accept: "application/json", "user-agent": options.userAgent };
    if (token !== undefined) headers.authorization = `Bearer ${token}`;
    if (request.body !== undefined) {
      headers["content-type"] = request.contentType ?? "application/json";
      headers["content-length"] = String(Buffer.byteLength(request.body));
    }
    return headers;
  };

  return {
    send(request) {
      return new Promise((resolve, reject) => {
        const parameters: RequestOptions = {
          ...address,
          method: request.method,
          path: prefix + request.path,
          headers: headersOf(request),
          agent: request.isWatch === true ? unpooled : pooled,
          ...(isTls ? tls : {}),
          ...(request.isWatch === true ? {} : { timeout: options.requestTimeoutMs ?? 30_000 }),
          ...(request.signal === undefined ? {} : { signal: request.signal }),
        };
        const onResponse = (response: IncomingMessage) =>
          resolve({
            statusCode: response.statusCode ?? 0,
            contentType: response.headers["content-type"] ?? "",
            text: () => textOf(response),
            lines: () => linesOf(response),
          });
        const exchange: ClientRequest = isTls
          ? httpsRequest(parameters, onResponse)
          : httpRequest(parameters, onResponse);
        exchange.on("timeout", () =>
          exchange.destroy(new MeshError("timed out", { code: "kube.timeout", origin: "upstream", retryable: true })),
        );
        exchange.on("error", (thrown) => {
          if (exchange.reusedSocket) reused.add(thrown);
          reject(thrown);
        });
        exchange.end(request.body);
      });
    },
    isReusedConnectionError: (thrown) => typeof thrown === "object" && thrown !== null && reused.has(thrown),
    close() {
      pooled.destroy();
      unpooled.destroy();
    },
  };
}

async function textOf(response: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

async function* linesOf(response: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const splitter = createLineSplitter();
  for await (const chunk of response) yield* splitter.push(chunk);
}

type CreateConnection = (
  parameters: unknown,
  onCreate: (error: Error | null, stream?: Duplex) => void,
) => Duplex | undefined;

/** Replaces the agent's way to connect: TLS, if any, runs over the caller's byte stream. */
function dialThrough(agent: object, dial: () => Promise<Socket>, tls: ConnectionOptions | undefined): void {
  const createConnection: CreateConnection = (_parameters, onCreate) => {
    dial().then(
      (socket) => onCreate(null, tls === undefined ? socket : tlsConnect({ ...tls, socket })),
      (thrown: unknown) => onCreate(thrown instanceof Error ? thrown : new Error(String(thrown))),
    );
    return undefined;
  };
  Object.assign(agent, { createConnection });
}
