/**
 * Requests of a client that lives in this process, as kube-apiserver's loopback client: the same method, path and text come in and the same status and
 * text go out as over a connection, through the same routes, but without TLS, sockets and HTTP framing, which are most of what a small request costs.
 * Invariants: nothing but text passes, so neither side ever holds an object of the other; each request is begun in a turn of the event loop of its own,
 * so that a chain of them does not keep connections waiting. Routes that hand on a byte stream (log, proxy) refuse it.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { ApiRequest, ApiResponse } from "./context.ts";

export interface LoopbackRequest {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
  readonly signal?: AbortSignal;
}

export interface LoopbackAnswer {
  readonly statusCode: number;
  readonly contentType: string;
  text(): Promise<string>;
  lines(): AsyncIterable<string>;
}

export interface Loopback {
  send(request: LoopbackRequest): Promise<LoopbackAnswer>;
  isReusedConnectionError(thrown: unknown): boolean;
  /** Ends every answer that is still being written. */
  close(): void;
}

export function createLoopback(
  userAgent: string,
  serve: (request: ApiRequest, response: ApiResponse) => Promise<void>,
): Loopback {
  const open = new Set<LoopbackResponse>();
  return {
    send: ({ method, path, body, contentType, signal }) =>
      new Promise((resolve, reject) => {
        const headers: IncomingHttpHeaders = { "user-agent": userAgent };
        if (contentType !== undefined) headers["content-type"] = contentType;
        const request = new BodyOf(method, path, headers, body);
        const response = new LoopbackResponse(resolve, reject);
        open.add(response);
        response.on("close", () => open.delete(response));
        if (signal !== undefined) {
          const onAbort = () => response.destroy();
          signal.addEventListener("abort", onAbort, { once: true });
          response.on("close", () => signal.removeEventListener("abort", onAbort));
        }
        setImmediate(() => {
          if (signal?.aborted === true) response.destroy();
          else void serve(request, response);
        });
      }),
    isReusedConnectionError: () => false,
    close() {
      for (const response of [...open]) response.destroy();
    },
  };
}

const CUT_OFF = "the answer was cut off";

class BodyOf implements ApiRequest {
  readonly complete = true;
  readonly destroyed = false;
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;

  constructor(method: string, url: string, headers: IncomingHttpHeaders, text = "") {
    this.method = method;
    this.url = url;
    this.headers = headers;
    this.text = text;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string> {
    if (this.text !== "") yield this.text;
  }
}

class LoopbackResponse implements ApiResponse, LoopbackAnswer {
  statusCode = 200;
  headersSent = false;
  destroyed = false;
  writableLength = 0;
  readonly #headers = new Map<string, string | number | readonly string[]>();
  readonly #onHead: (answer: LoopbackAnswer) => void;
  readonly #onFailure: (reason: Error) => void;
  readonly #onClose: (() => void)[] = [];
  #unread: string[] = [];
  #hasEnded = false;
  #wake: () => void = () => undefined;

  constructor(onHead: (answer: LoopbackAnswer) => void, onFailure: (reason: Error) => void) {
    this.#onHead = onHead;
    this.#onFailure = onFailure;
  }

  get contentType(): string {
    return String(this.#headers.get("content-type") ?? "");
  }

  setHeader(name: string, value: string | number | readonly string[]): void {
    this.#headers.set(name.toLowerCase(), value);
  }

  getHeader(name: string): string | number | readonly string[] | undefined {
    return this.#headers.get(name.toLowerCase());
  }

  writeHead(code: number, headers: Readonly<Record<string, string>>): void {
    this.statusCode = code;
    for (const [name, value] of Object.entries(headers)) this.setHeader(name, value);
  }

  flushHeaders(): void {
    if (this.headersSent) return;
    this.headersSent = true;
    this.#onHead(this);
  }

  /** A reader in the same process gains nothing from larger pieces. */
  cork(): void {}

  uncork(): void {}

  write(text: string): void {
    if (this.#hasEnded) return;
    this.flushHeaders();
    this.#unread.push(text);
    this.writableLength += text.length;
    this.#wake();
  }

  end(text?: string): void {
    if (this.#hasEnded) return;
    if (text !== undefined && text !== "") this.write(text);
    this.flushHeaders();
    this.#finish();
  }

  destroy(): void {
    if (this.#hasEnded) return;
    this.destroyed = true;
    this.#onFailure(new Error(CUT_OFF));
    this.#finish();
  }

  on(_event: "close", listener: () => void): void {
    this.#onClose.push(listener);
  }

  async text(): Promise<string> {
    let text = "";
    for await (const part of this.#parts()) text += part;
    return text;
  }

  async *lines(): AsyncGenerator<string> {
    let rest = "";
    try {
      for await (const part of this.#parts()) {
        const lines = (rest + part).split("\n");
        rest = lines.pop() ?? "";
        yield* lines;
      }
    } finally {
      // A reader that stops early is a client that went away.
      this.destroy();
    }
  }

  async *#parts(): AsyncGenerator<string> {
    for (;;) {
      const parts = this.#unread;
      this.#unread = [];
      this.writableLength = 0;
      yield* parts;
      if (this.#unread.length > 0) continue;
      if (this.destroyed) throw new Error(CUT_OFF);
      if (this.#hasEnded) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #finish(): void {
    this.#hasEnded = true;
    this.#wake();
    for (const listener of this.#onClose) listener();
  }
}
