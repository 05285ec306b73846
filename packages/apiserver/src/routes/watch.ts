/**
 * GET with watch=true: one JSON line an event, for as long as the client stays (or timeoutSeconds).
 * `sendInitialEvents` (WatchList) streams the present objects first and closes them with a BOOKMARK that carries
 * k8s.io/initial-events-end: kubectl wait and rollout status hang without it.
 * A client that does not read is cut off once MAX_UNREAD_BYTES wait for it; it lists again.
 * Source: Kubernetes API concepts, "Efficient detection of changes", "Streaming lists".
 */
import { describeError } from "@argyle/core";
import { apiVersionOf, type KubeObject } from "@argyle/kube-types";
import type { Reply, ResourceCall } from "../context.ts";
import { buildTable, chooseForm, encodeStored, type Form, toPartial } from "../representation.ts";
import { readSelection } from "../selection.ts";
import { badRequest, invalid, StatusError } from "../status.ts";
import { resourceKey } from "../storage.ts";

const MAX_UNREAD_BYTES = 16 * 1024 * 1024;
const BOOKMARK_EVERY_MS = 60_000;

export function watchObjects(call: ResourceCall): Reply {
  const { context, response, query } = call;
  const { store, hub, clock } = context;
  const { resource, version, namespace, name } = call.target;
  const form = chooseForm(call.request.headers.accept, query.get("includeObject"));
  const selection = readSelection(query, resource);
  const matches =
    name === undefined
      ? selection.matches
      : (object: KubeObject) => object.metadata.name === name && selection.matches(object);
  const sendInitial = query.get("sendInitialEvents") === "true";
  if (sendInitial && query.get("resourceVersionMatch") !== "NotOlderThan") {
    throw invalid("ListOptions", "meta.k8s.io", "", [
      {
        path: "resourceVersionMatch",
        message: "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
      },
    ]);
  }
  const from = query.get("resourceVersion") ?? "";
  if (!/^\d*$/.test(from)) throw badRequest(`Invalid value: "${from}": the resource version is not a number`);
  const bookmarks = query.get("allowWatchBookmarks") === "true";

  response.writeHead(200, {
    "content-type":
      form.kind === "plain" || form.kind === "yaml" ? "application/json" : `application/json;as=${form.kind}`,
    "cache-control": "no-cache, private",
  });
  response.flushHeaders();

  let hasEnded = false;
  let allowedBytes = Number.POSITIVE_INFINITY;
  let isCorked = false;
  const write = (line: string) => {
    if (hasEnded) return;
    // What one turn of the event loop has to tell goes out as one record: encrypting and writing cost more than most events.
    if (!isCorked) {
      isCorked = true;
      response.cork();
      setImmediate(() => {
        isCorked = false;
        response.uncork();
      });
    }
    response.write(line);
    if (response.writableLength > allowedBytes) {
      context.log.warn("watch: dropping a client that does not read", {
        resource: resource.plural,
        user: call.user.username,
      });
      end();
      response.destroy();
    }
  };
  const send = (type: "ADDED" | "MODIFIED" | "DELETED", object: KubeObject) => {
    try {
      write(`{"type":"${type}","object":${encodeForWatch(object, call, form)}}\n`);
    } catch (error) {
      // Must not reach the commit that this event comes from. The client lists again.
      context.log.error("watch: an object could not be encoded", { error: describeError(error) });
      end();
    }
  };
  const bookmark = (annotations?: Readonly<Record<string, string>>) => {
    const metadata = {
      resourceVersion: String(store.revision()),
      ...(annotations === undefined ? {} : { annotations }),
    };
    const object = { kind: resource.kind, apiVersion: apiVersionOf(resource, version), metadata };
    write(`${JSON.stringify({ type: "BOOKMARK", object: bookmarkIn(object, form) })}\n`);
  };

  let stop: () => void = () => undefined;
  const end = () => {
    if (hasEnded) return;
    hasEnded = true;
    stop();
    timeout?.cancel();
    bookmarkTimer?.cancel();
    response.end();
  };
  response.on("close", end);
  const timeoutSeconds = Number(query.get("timeoutSeconds") ?? "");
  const timeout = timeoutSeconds > 0 ? clock.after(timeoutSeconds * 1000, end, { unref: true }) : undefined;
  const armBookmark = () =>
    clock.after(
      BOOKMARK_EVERY_MS,
      () => {
        bookmark();
        if (!hasEnded) bookmarkTimer = armBookmark();
      },
      { unref: true },
    );
  let bookmarkTimer = bookmarks ? armBookmark() : undefined;

  const isFromNow = from === "" || from === "0";
  if (sendInitial || isFromNow) {
    for (const object of store.list(resource, namespace)) if (matches(object)) send("ADDED", object);
  }
  if (sendInitial) bookmark({ "k8s.io/initial-events-end": "true" });
  allowedBytes = response.writableLength + MAX_UNREAD_BYTES;
  try {
    const start = sendInitial || isFromNow ? store.revision() : Number(from);
    stop = hub.watch({ key: resourceKey(resource), namespace, matches }, start, send);
    if (hasEnded) stop();
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    write(`${JSON.stringify({ type: "ERROR", object: error.status })}\n`);
    end();
  }
  return { kind: "taken" };
}

function encodeForWatch(object: KubeObject, call: ResourceCall, form: Form): string {
  const { resource, version } = call.target;
  switch (form.kind) {
    case "plain":
    case "yaml":
      return encodeStored(object, resource, version);
    case "partial":
      return JSON.stringify(toPartial(object, form.version));
    case "table": {
      const resourceVersion = object.metadata.resourceVersion ?? "";
      const nowMs = call.context.clock.now();
      return JSON.stringify(buildTable([object], { resource, version, form, nowMs, resourceVersion }));
    }
  }
}

function bookmarkIn(object: { readonly metadata: object }, form: Form): object {
  if (form.kind === "partial") {
    return { kind: "PartialObjectMetadata", apiVersion: `meta.k8s.io/${form.version}`, metadata: object.metadata };
  }
  if (form.kind !== "table") return object;
  return {
    kind: "Table",
    apiVersion: `meta.k8s.io/${form.version}`,
    metadata: object.metadata,
    columnDefinitions: [],
    rows: [
      { cells: [], object: { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: object.metadata } },
    ],
  };
}
