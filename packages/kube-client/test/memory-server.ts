/** The in-memory API behind a real HTTP or HTTPS listener: what rest.ts is tested against. Paths and verbs as Kubernetes has them. */
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttps } from "node:https";
import { describeError } from "@argyle/core";
import { type KubeObject, RESOURCES } from "@argyle/kube-types";
import type { PatchType } from "../src/client.ts";
import { KubeError, statusOf } from "../src/errors.ts";
import type { MemoryApi } from "./memory-api.ts";

export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  readonly remotePort: number | undefined;
}

export interface MemoryServer {
  readonly port: number;
  readonly received: readonly Received[];
  close(): Promise<void>;
}

const PATCHES: Readonly<Record<string, PatchType>> = {
  "application/merge-patch+json": "merge",
  "application/json-patch+json": "json",
  "application/strategic-merge-patch+json": "strategic",
  "application/apply-patch+yaml": "apply",
};

export async function startMemoryServer(
  api: MemoryApi,
  tls?: { readonly key: string; readonly cert: string; readonly ca?: string },
): Promise<MemoryServer> {
  const received: Received[] = [];
  const onRequest = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    received.push({
      method: request.method ?? "",
      url: request.url ?? "",
      headers: request.headers,
      body,
      remotePort: request.socket.remotePort,
    });
    try {
      await answer(api, request, response, body === "" ? undefined : JSON.parse(body));
    } catch (thrown) {
      const status =
        thrown instanceof KubeError ? thrown.status : statusOf(500, "InternalError", describeError(thrown));
      if (response.headersSent) response.end(`${JSON.stringify({ type: "ERROR", object: status })}\n`);
      else response.writeHead(status.code, { "content-type": "application/json" }).end(JSON.stringify(status));
    }
  };
  const listener = (request: IncomingMessage, response: ServerResponse) => void onRequest(request, response);
  const server =
    tls === undefined
      ? createHttp(listener)
      : createHttps({ ...tls, requestCert: true, rejectUnauthorized: tls.ca !== undefined }, listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    received,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

async function answer(api: MemoryApi, request: IncomingMessage, response: ServerResponse, body: unknown) {
  const url = new URL(request.url ?? "", "http://x");
  const match = /^\/(?:api|apis\/([^/]+))\/[^/]+(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(
    url.pathname,
  );
  const resource = RESOURCES.find((r) => r.group === (match?.[1] ?? "") && r.plural === match?.[3]);
  if (match === null || resource === undefined) {
    response.writeHead(404, { "content-type": "text/plain" }).end("404 page not found");
    return;
  }
  const [, , namespace, , name, subresource] = match;
  const inNamespace = namespace === undefined ? {} : { namespace };
  const query = (key: string) => url.searchParams.get(key) ?? undefined;
  const selectors = {
    ...(query("labelSelector") === undefined ? {} : { labelSelector: query("labelSelector") ?? "" }),
    ...(query("fieldSelector") === undefined ? {} : { fieldSelector: query("fieldSelector") ?? "" }),
  };
  const { client } = api;
  const send = (value: unknown, code = 200) =>
    response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(value));
  if (request.method === "GET" && query("watch") === "true") {
    const abort = new AbortController();
    response.on("close", () => abort.abort());
    const from = query("resourceVersion");
    const options = { ...inNamespace, ...selectors, ...(from === undefined ? {} : { resourceVersion: from }) };
    for await (const event of client.watch(resource, options, abort.signal)) {
      if (!response.headersSent) response.writeHead(200, { "content-type": "application/json" });
      response.write(`${JSON.stringify(event)}\n`);
    }
    response.end();
  } else if (request.method === "GET" && name !== undefined) send(await client.get(resource, { ...inNamespace, name }));
  else if (request.method === "GET") {
    const list = await client.list(resource, namespace, selectors);
    // As Kubernetes: items of built-in kinds without kind and apiVersion.
    const items = list.items.map(({ kind: _kind, apiVersion: _apiVersion, ...item }) => item);
    send({ kind: `${resource.kind}List`, apiVersion: "v1", metadata: list.metadata, items });
  } else if (request.method === "POST") send(await client.create(resource, body as KubeObject, subresource), 201);
  else if (request.method === "PUT") send(await client.replace(resource, body as KubeObject, subresource));
  else if (request.method === "PATCH") {
    const type = PATCHES[request.headers["content-type"] ?? ""] ?? "merge";
    const more = subresource === undefined ? {} : { subresource };
    send(await client.patch(resource, { ...inNamespace, name: name ?? "" }, type, body, more));
  } else {
    const options = (body ?? {}) as {
      readonly preconditions?: { readonly uid?: string };
      readonly gracePeriodSeconds?: number;
    };
    const uid = options.preconditions?.uid;
    await client.delete(
      resource,
      { ...inNamespace, name: name ?? "" },
      { ...options, ...(uid === undefined ? {} : { uid }) },
    );
    send({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 200 });
  }
}
