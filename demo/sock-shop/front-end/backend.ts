/**
 * Calls to the services behind the front-end. A status of 400 or more becomes a BackendError with the same status, so that a fault, a limit or a
 * policy of the mesh is seen as what it is; no answer at all is 502, a late one 504. Messages of 4xx answers are meant for the customer and are kept.
 */
import { type CallResult, call, HttpError, type Request } from "@sock-shop/kit";

export type ServiceName = "catalogue" | "user" | "carts" | "orders";

export class BackendError extends HttpError {
  readonly service: ServiceName;
  constructor(service: ServiceName, status: number, message: string, cause?: unknown) {
    super(status, message, cause);
    this.service = service;
  }
}

export interface Question {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
}

export interface Backend {
  readonly url: string;
  /** The answer whatever its status; throws BackendError when there is none. */
  ask(request: Request, path: string, question?: Question): Promise<CallResult>;
  /** The JSON of a successful answer (undefined when it has no body); throws BackendError otherwise. */
  fetch(request: Request, path: string, question?: Question): Promise<unknown>;
}

export interface BackendOptions {
  readonly service: ServiceName;
  readonly url: string;
  /** False shows how a trace breaks when an application does not hand its headers on. */
  readonly forwardsTrace: boolean;
  readonly timeoutMs?: number;
}

export function createBackend({ service, url, forwardsTrace, timeoutMs }: BackendOptions): Backend {
  const ask: Backend["ask"] = async (request, path, { method, headers, json } = {}) => {
    try {
      return await call(`${url}${path}`, {
        headers: {
          ...(forwardsTrace ? request.trace : {}),
          ...(json === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(method === undefined ? {} : { method }),
        ...(json === undefined ? {} : { body: JSON.stringify(json) }),
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      });
    } catch (cause) {
      const isLate = cause instanceof Error && "code" in cause && cause.code === "ETIMEDOUT";
      const message = isLate ? `${service} did not answer in time` : `${service} does not answer`;
      throw new BackendError(service, isLate ? 504 : 502, message, cause);
    }
  };
  return {
    url,
    ask,
    async fetch(request, path, question) {
      const { status, body } = await ask(request, path, question);
      if (status >= 400) throw new BackendError(service, status, messageOf(service, status, body));
      if (status >= 300) throw new BackendError(service, 502, `${service} answered ${status}`);
      if (body.length === 0) return undefined;
      try {
        return JSON.parse(body.toString("utf8"));
      } catch (cause) {
        throw new BackendError(service, 502, `${service} did not answer with JSON`, cause);
      }
    },
  };
}

const MAX_MESSAGE = 200;

function messageOf(service: ServiceName, status: number, body: Buffer): string {
  const text = body.subarray(0, 4096).toString("utf8");
  const fallback = `${service} answered ${status}`;
  let fields: unknown;
  try {
    fields = JSON.parse(text);
  } catch {
    // A proxy's own answer: a short line of text, such as "fault filter abort" or "RBAC: access denied".
    const isLine = text !== "" && text.length <= MAX_MESSAGE && !text.includes("<");
    return isLine ? `${fallback}: ${text.trim()}` : fallback;
  }
  if (status >= 500 || typeof fields !== "object" || fields === null) return fallback;
  const said = "message" in fields ? fields.message : "error" in fields ? fields.error : undefined;
  return typeof said === "string" ? said.slice(0, MAX_MESSAGE) : fallback;
}
