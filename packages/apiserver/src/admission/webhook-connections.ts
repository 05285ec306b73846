/**
 * Connections to webhooks, kept open between calls: a handshake costs both sides more than a review does, and an apply is a row of calls.
 * A call that meets a connection which its server had closed meanwhile goes over another one (reviews have no effect until they are answered);
 * a new certificate authority in the configuration means new connections.
 */
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type Clock, MeshError } from "@argyle/core";
import type { DialService } from "../options.ts";
import { dialTls, type TlsTarget } from "../tls-request.ts";

export interface WebhookConnections {
  /** Resolves with the response's head; the body is the caller's to read. */
  post(target: TlsTarget, path: string, body: string, signal: AbortSignal): Promise<IncomingMessage>;
  close(): void;
}

const DIAL_TIMEOUT_MS = 10_000;
const IDLE_MS = 30_000;
const MAX_IDLE = 8;

export function createWebhookConnections(dial: DialService, clock: Clock): WebhookConnections {
  const agents = new Map<string, Agent>();
  const agentOf = (target: TlsTarget): Agent => {
    const key = JSON.stringify([target.host, target.port, target.caPem]);
    const known = agents.get(key);
    if (known !== undefined) return known;
    for (const [oldKey, agent] of agents) {
      if (!oldKey.startsWith(JSON.stringify([target.host, target.port]).slice(0, -1))) continue;
      agent.destroy();
      agents.delete(oldKey);
    }
    const agent = createAgent((signal) => dialTls(dial, target, signal), clock);
    agents.set(key, agent);
    return agent;
  };

  const post: WebhookConnections["post"] = (target, path, body, signal) =>
    new Promise((resolve, reject) => {
      const outgoing = httpRequest({
        method: "POST",
        path,
        headers: {
          host: `${target.host}:${target.port}`,
          "content-type": "application/json",
          "content-length": String(Buffer.byteLength(body)),
          accept: "application/json",
          "user-agent": "kube-apiserver-admission",
        },
        agent: agentOf(target),
        signal,
      });
      let isAnswered = false;
      outgoing.once("response", (response) => {
        isAnswered = true;
        resolve(response);
      });
      outgoing.on("error", (error) => {
        if (signal.aborted) reject(new MeshError("timed out", { code: "apiserver.webhook.timeout", cause: error }));
        else if (outgoing.reusedSocket && !isAnswered) post(target, path, body, signal).then(resolve, reject);
        else reject(error);
      });
      outgoing.end(body);
    });

  return {
    post,
    close() {
      for (const agent of agents.values()) agent.destroy();
    },
  };
}

type CreateConnection = (
  parameters: unknown,
  onCreate: (error: Error | null, stream?: Duplex) => void,
) => Duplex | undefined;

function createAgent(open: (signal: AbortSignal) => Promise<Duplex>, clock: Clock): Agent {
  // The name for TLS is dialTls' matter; without one the agent would work it out for each request.
  const options = { keepAlive: true, maxFreeSockets: MAX_IDLE, timeout: IDLE_MS, servername: "" };
  const agent = new Agent(options);
  const createConnection: CreateConnection = (_parameters, onCreate) => {
    const abort = new AbortController();
    const timer = clock.after(DIAL_TIMEOUT_MS, () => abort.abort(), { unref: true });
    open(abort.signal)
      .finally(() => timer.cancel())
      .then(
        (socket) => onCreate(null, socket),
        (thrown: unknown) => onCreate(thrown instanceof Error ? thrown : new Error(String(thrown))),
      );
    return undefined;
  };
  return Object.assign(agent, { createConnection });
}
