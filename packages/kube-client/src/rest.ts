/**
 * KubeClient over HTTP/1.1 and TLS, or over any other Transport. Requests share a keep-alive pool; each watch holds a
 * connection of its own for as long as it runs.
 * A request that was sent on a reused connection which the server had just closed is repeated once, if repeating is harmless.
 * Source: Kubernetes API concepts; RFC 9110 §9.2.2 (idempotent methods).
 */
import { describeError, errnoOf, MeshError } from "@argyle/core";
import { apiVersionOf, type KubeObject, type Resource, resourcePath, type Status } from "@argyle/kube-types";
import type { KubeClient, KubeList, ListOptions, ObjectRef, PatchType } from "./client.ts";
import type { KubeClientOptions } from "./connection.ts";
import { isNotFound, KubeError, statusOf, UNREACHABLE } from "./errors.ts";
import { createTransport, type Transport, type TransportResponse } from "./transport.ts";
import { decodeWatchEvent } from "./watch.ts";

const PATCH_CONTENT_TYPE: Readonly<Record<PatchType, string>> = {
  merge: "application/merge-patch+json",
  json: "application/json-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml",
};

export function createKubeClient(options: KubeClientOptions): KubeClient {
  return createKubeClientOver(createTransport(options), options.userAgent);
}

export function createKubeClientOver(transport: Transport, userAgent: string): KubeClient {
  const get = async <T extends KubeObject>(resource: Resource, ref: ObjectRef): Promise<T> =>
    (await call(transport, "GET", resourcePath(resource, ref))) as T;

  return {
    get,
    async find<T extends KubeObject>(resource: Resource, ref: ObjectRef) {
      try {
        return await get<T>(resource, ref);
      } catch (thrown) {
        if (isNotFound(thrown)) return undefined;
        throw thrown;
      }
    },
    async list<T extends KubeObject>(resource: Resource, namespace?: string, selectors: ListOptions = {}) {
      const path = resourcePath(resource, namespace === undefined ? {} : { namespace });
      const list = (await call(transport, "GET", path + queryOf({ ...selectors }))) as KubeList<T>;
      // Items of built-in kinds come without apiVersion and kind; everyone downstream relies on them.
      const typed = { apiVersion: apiVersionOf(resource), kind: resource.kind };
      return { metadata: list.metadata, items: (list.items ?? []).map((item) => ({ ...typed, ...item })) };
    },
    async create<T extends KubeObject>(resource: Resource, object: KubeObject, subresource?: string) {
      const at = {
        ...namespaceOf(object),
        ...(subresource === undefined ? {} : { name: object.metadata.name, subresource }),
      };
      const path = resourcePath(resource, at) + queryOf({ fieldManager: userAgent });
      return (await call(transport, "POST", path, object)) as T;
    },
    async replace<T extends KubeObject>(resource: Resource, object: KubeObject, subresource?: string) {
      const at = {
        ...namespaceOf(object),
        name: object.metadata.name,
        ...(subresource === undefined ? {} : { subresource }),
      };
      const path = resourcePath(resource, at) + queryOf({ fieldManager: userAgent });
      return (await call(transport, "PUT", path, object)) as T;
    },
    async patch<T extends KubeObject>(
      resource: Resource,
      ref: ObjectRef,
      type: PatchType,
      body: unknown,
      more: { readonly subresource?: string; readonly fieldManager?: string; readonly force?: boolean } = {},
    ) {
      const at = { ...ref, ...(more.subresource === undefined ? {} : { subresource: more.subresource }) };
      const force = more.force === undefined ? {} : { force: String(more.force) };
      const path = resourcePath(resource, at) + queryOf({ fieldManager: more.fieldManager ?? userAgent, ...force });
      return (await call(transport, "PATCH", path, body, PATCH_CONTENT_TYPE[type])) as T;
    },
    async delete(resource, ref, more = {}) {
      await call(transport, "DELETE", resourcePath(resource, ref), {
        kind: "DeleteOptions",
        apiVersion: "v1",
        ...(more.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: more.gracePeriodSeconds }),
        ...(more.uid === undefined ? {} : { preconditions: { uid: more.uid } }),
        ...(more.propagationPolicy === undefined ? {} : { propagationPolicy: more.propagationPolicy }),
      });
    },
    async *watch<T extends KubeObject>(resource: Resource, more: WatchOptions, signal: AbortSignal) {
      const path =
        resourcePath(resource, more.namespace === undefined ? {} : { namespace: more.namespace }) +
        queryOf({
          watch: "true",
          allowWatchBookmarks: "true",
          labelSelector: more.labelSelector,
          fieldSelector: more.fieldSelector,
          resourceVersion: more.resourceVersion,
          ...(more.sendInitialEvents === true
            ? { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan" }
            : {}),
        });
      const request = `GET ${path}`;
      const response = await send(transport, { method: "GET", path, isWatch: true, signal });
      try {
        for await (const line of response.lines()) if (line !== "") yield decodeWatchEvent<T>(line, request);
      } catch (thrown) {
        if (signal.aborted) return;
        throw thrown instanceof KubeError ? thrown : unreachable(request, thrown);
      }
    },
    raw: (method, path, body) => call(transport, method, path, body),
    close: transport.close,
  };
}

type WatchOptions = Parameters<KubeClient["watch"]>[1];

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
  readonly isWatch?: boolean;
  readonly signal?: AbortSignal;
}

async function call(
  transport: Transport,
  method: string,
  path: string,
  body?: unknown,
  contentType = "application/json",
): Promise<unknown> {
  const payload = body === undefined ? {} : { body: JSON.stringify(body), contentType };
  const response = await send(transport, { method, path, ...payload });
  const request = `${method} ${path}`;
  let text: string;
  try {
    text = await response.text();
  } catch (thrown) {
    throw unreachable(request, thrown);
  }
  return parseBody(text, response.contentType, request);
}

/** Sends, and throws the server's Status for everything but 2xx. */
async function send(transport: Transport, request: Call): Promise<TransportResponse> {
  const name = `${request.method} ${request.path}`;
  let response: TransportResponse;
  try {
    response = await sendOnce(transport, request);
  } catch (thrown) {
    if (request.signal?.aborted === true) throw request.signal.reason;
    throw unreachable(name, thrown);
  }
  if (response.statusCode >= 200 && response.statusCode < 300) return response;
  const text = await response.text().catch(describeError);
  throw new KubeError(readStatus(text, response.statusCode), name);
}

async function sendOnce(transport: Transport, request: Call): Promise<TransportResponse> {
  try {
    return await transport.send(request);
  } catch (thrown) {
    const isStale =
      transport.isReusedConnectionError(thrown) && ["ECONNRESET", "EPIPE"].includes(errnoOf(thrown) ?? "");
    if (!isStale || request.method === "POST") throw thrown;
    return transport.send(request);
  }
}

function unreachable(request: string, cause: unknown): MeshError {
  return new MeshError(`no answer from the API server (${request})`, {
    code: UNREACHABLE,
    origin: "upstream",
    retryable: true,
    cause,
  });
}

function parseBody(text: string, contentType: string, request: string): unknown {
  if (!contentType.includes("json")) return text;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MeshError(`the API server's answer is not JSON (${request})`, {
      code: "kube.bad-answer",
      origin: "upstream",
      cause,
    });
  }
}

/** The Status in a failure's body, or one made from whatever was sent instead. */
function readStatus(text: string, code: number): Status {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === "object" && body !== null && "kind" in body && body.kind === "Status")
      return { ...statusOf(code, "Unknown", `HTTP ${code}`), ...(body as Partial<Status>) };
  } catch {
    // Not JSON: a proxy or a plain-text handler answered; its text is the message.
  }
  return statusOf(code, "Unknown", text.trim().slice(0, 500) || `HTTP ${code}`);
}

function queryOf(parameters: Readonly<Record<string, string | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) query.set(name, value);
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}

function namespaceOf(object: KubeObject): { readonly namespace?: string } {
  return object.metadata.namespace === undefined ? {} : { namespace: object.metadata.namespace };
}
