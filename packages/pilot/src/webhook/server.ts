/**
 * The HTTPS server of the webhooks (15017). It takes POST /inject, /inject/…, /validate and answers AdmissionReviews; a renewed
 * certificate is used for new connections without a restart.
 */
import { createServer, type Server } from "node:https";
import { describeError, type Logger } from "@argyle/core";
import {
  type AdmissionAnswer,
  type AdmissionRequest,
  decodeAdmissionReview,
  encodeAdmissionReview,
} from "./admission-review.ts";

export interface WebhookServerOptions {
  readonly certificate: { readonly certChainPem: string; readonly privateKeyPem: string };
  readonly log: Logger;
  inject(request: AdmissionRequest): AdmissionAnswer;
  validate(request: AdmissionRequest): AdmissionAnswer;
}

export interface WebhookServer {
  listen(port: number, host: string): Promise<number>;
  renew(certificate: WebhookServerOptions["certificate"]): void;
  close(): Promise<void>;
}

/** A pod with everything in it is far smaller. */
const MAX_BODY_BYTES = 6 * 1024 * 1024;
/** Longer than the API server keeps an unused connection, so that it is the one who closes it. */
const KEEP_ALIVE_MS = 60_000;

export function createWebhookServer(options: WebhookServerOptions): WebhookServer {
  const server: Server = createServer({
    cert: options.certificate.certChainPem,
    key: options.certificate.privateKeyPem,
    minVersion: "TLSv1.2",
    keepAliveTimeout: KEEP_ALIVE_MS,
  });
  server.on("request", (request, response) => {
    const path = (request.url ?? "/").split("?")[0] ?? "/";
    const answer =
      path === "/inject" || path.startsWith("/inject/")
        ? options.inject
        : path === "/validate"
          ? options.validate
          : undefined;
    const reply = (status: number, body: unknown) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(typeof body === "string" ? body : JSON.stringify(body));
    };
    if (path === "/ready") return reply(200, {});
    if (answer === undefined) return reply(404, { message: "no such webhook" });
    if (request.method !== "POST") return reply(405, { message: "only POST" });
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
    });
    request.on("error", (error) => options.log.debug("a webhook request broke off", { error: describeError(error) }));
    request.on("end", () => {
      if (bytes > MAX_BODY_BYTES) return reply(413, { message: "the review is too large" });
      try {
        const review = decodeAdmissionReview(JSON.parse(Buffer.concat(chunks).toString("utf8")));
        if (review === undefined) return reply(400, { message: "not an AdmissionReview" });
        return reply(200, encodeAdmissionReview(review.uid, answer(review)));
      } catch (error) {
        options.log.error("a webhook failed", { path, error: describeError(error) });
        return reply(500, { message: describeError(error) });
      }
    });
  });
  return {
    listen(port, host) {
      return new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, host, () => {
          server.off("error", reject);
          const address = server.address();
          resolve(typeof address === "object" && address !== null ? address.port : port);
        });
      });
    },
    renew: (certificate) => server.setSecureContext({ cert: certificate.certChainPem, key: certificate.privateKeyPem }),
    close() {
      return new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}
