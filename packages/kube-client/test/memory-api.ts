/**
 * A small API server in memory that is its own KubeClient, for tests of clients and controllers: CRUD, list, watch with history,
 * selectors, optimistic concurrency, status isolation, generation, finalizers and graceful deletion of bound pods.
 * It can be told to fail: `disconnect` ends watches, `setDown` refuses everything, `expireHistory` makes old watches 410, `intercept` fails single calls.
 */
import { type Clock, MeshError, rfc3339Seconds } from "@argyle/core";
import {
  apiVersionOf,
  type KubeObject,
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
  type Resource,
} from "@argyle/kube-types";
import type { KubeClient, ListOptions, ObjectRef, PatchType, WatchEvent } from "../src/client.ts";
import { KubeError, statusOf } from "../src/errors.ts";
import { keyOf, objectKey } from "../src/keyed-store.ts";

type Fields = Record<string, unknown>;
type Stored = KubeObject & { readonly metadata: { readonly resourceVersion: string; readonly uid: string } };

export interface Call {
  readonly verb: "get" | "list" | "create" | "replace" | "patch" | "delete" | "watch";
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly subresource: string | undefined;
  readonly body: unknown;
}

export interface MemoryApi {
  readonly client: KubeClient;
  /** Every call that was made, oldest first. */
  readonly calls: readonly Call[];
  /** Ends every watch; a reason makes them fail instead of closing. */
  disconnect(reason?: "close" | "error"): void;
  setDown(isDown: boolean): void;
  expireHistory(): void;
  /** Called before each call; throw to fail it. */
  intercept(hook: ((call: Call) => void) | undefined): void;
  /** Changes the object without events reaching watches that are cut; as any client would. */
  all<T extends KubeObject>(resource: Resource): readonly T[];
}

interface LogEntry {
  readonly version: number;
  readonly resource: Resource;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: Stored;
  readonly old: Stored | undefined;
}

interface Watcher {
  push(entry: LogEntry): void;
  end(thrown: unknown): void;
}

export function createMemoryApi(options: { readonly clock: Clock }): MemoryApi {
  const tables = new Map<string, Map<string, Stored>>();
  const calls: Call[] = [];
  const watchers = new Set<Watcher>();
  let history: LogEntry[] = [];
  let oldest = 0;
  let version = 100;
  let uids = 0;
  let isDown = false;
  let hook: ((call: Call) => void) | undefined;

  const tableOf = (resource: Resource) => {
    const id = `${resource.group}/${resource.plural}`;
    const table = tables.get(id) ?? new Map<string, Stored>();
    tables.set(id, table);
    return table;
  };

  const enter = async (call: Call) => {
    calls.push(call);
    await Promise.resolve();
    if (isDown) throw new MeshError("connection refused", { code: "kube.unreachable", retryable: true });
    hook?.(call);
  };

  const commit = (resource: Resource, type: LogEntry["type"], object: KubeObject, old: Stored | undefined): Stored => {
    version += 1;
    const uid = object.metadata.uid ?? `uid-${++uids}`;
    const stored = structuredClone({
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(version), uid },
    }) as Stored;
    const table = tableOf(resource);
    if (type === "DELETED") table.delete(objectKey(stored));
    else table.set(objectKey(stored), stored);
    const entry = { version, resource, type, object: stored, old };
    history.push(entry);
    for (const watcher of watchers) watcher.push(entry);
    return stored;
  };

  const fail = (code: number, reason: string, message: string): never => {
    throw new KubeError(statusOf(code, reason, message), "memory");
  };

  const load = (resource: Resource, ref: ObjectRef): Stored =>
    tableOf(resource).get(keyOf(ref.namespace, ref.name)) ??
    fail(404, "NotFound", `${resource.plural} "${ref.name}" not found`);

  /** The one way an object changes: checks the version, keeps what the subresource may not touch, finishes a deletion. */
  const update = (resource: Resource, old: Stored, next: KubeObject, subresource: string | undefined): Stored => {
    const asked = next.metadata.resourceVersion;
    if (asked !== undefined && asked !== old.metadata.resourceVersion)
      fail(409, "Conflict", `the object ${old.metadata.name} has been modified`);
    const isStatus = subresource === "status";
    const hasStatus = resource.subresources?.includes("status") === true;
    const merged = isStatus
      ? { ...old, status: next.status }
      : { ...next, ...(hasStatus ? { status: old.status } : {}) };
    const specChanged = JSON.stringify(merged.spec) !== JSON.stringify(old.spec);
    const metadata = {
      ...(isStatus ? old.metadata : next.metadata),
      uid: old.metadata.uid,
      generation: (old.metadata.generation ?? 1) + (specChanged ? 1 : 0),
      ...(old.metadata.deletionTimestamp === undefined ? {} : { deletionTimestamp: old.metadata.deletionTimestamp }),
    };
    const object: KubeObject = { ...merged, metadata };
    const before = JSON.stringify({ ...old, metadata: { ...old.metadata, resourceVersion: "" } }, sortKeys);
    const after = JSON.stringify({ ...object, metadata: { ...object.metadata, resourceVersion: "" } }, sortKeys);
    if (before === after) return old;
    const isDone = metadata.deletionTimestamp !== undefined && isReleased(object) && resource.kind !== "Pod";
    return commit(resource, isDone ? "DELETED" : "MODIFIED", object, old);
  };

  const client: KubeClient = {
    async get<T extends KubeObject>(resource: Resource, ref: ObjectRef) {
      await enter(callOf("get", resource, ref));
      return structuredClone(load(resource, ref)) as KubeObject as T;
    },
    async find<T extends KubeObject>(resource: Resource, ref: ObjectRef) {
      await enter(callOf("get", resource, ref));
      return structuredClone(tableOf(resource).get(keyOf(ref.namespace, ref.name))) as KubeObject | undefined as
        | T
        | undefined;
    },
    async list<T extends KubeObject>(resource: Resource, namespace?: string, selectors: ListOptions = {}) {
      await enter(callOf("list", resource, { name: "", ...(namespace === undefined ? {} : { namespace }) }));
      const matches = matcher(namespace, selectors);
      const items = [...tableOf(resource).values()].filter(matches).map((object) => structuredClone(object));
      return { metadata: { resourceVersion: String(version) }, items: items as readonly KubeObject[] as readonly T[] };
    },
    async create<T extends KubeObject>(resource: Resource, object: KubeObject, subresource?: string) {
      await enter(callOf("create", resource, object.metadata, subresource, object));
      if (subresource === "binding") {
        const pod = load(resource, object.metadata);
        const { target } = object as KubeObject & { readonly target: { readonly name: string } };
        const spec = { ...(pod.spec as Fields), nodeName: target.name };
        return update(resource, pod, { ...pod, spec }, undefined) as KubeObject as T;
      }
      const name = object.metadata.name || `${object.metadata.generateName ?? ""}${(++uids).toString(36)}`;
      const key = keyOf(object.metadata.namespace, name);
      if (tableOf(resource).has(key)) fail(409, "AlreadyExists", `${resource.plural} "${name}" already exists`);
      const { uid: _uid, resourceVersion: _version, ...given } = object.metadata;
      const metadata = {
        ...given,
        name,
        generation: 1,
        creationTimestamp: given.creationTimestamp ?? rfc3339Seconds(options.clock.now()),
      };
      const hasStatus = resource.subresources?.includes("status") === true;
      // As a real server: what has a status subresource is born with a status, if an empty one.
      const status = hasStatus ? { status: object.status ?? {} } : {};
      const born = { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind, ...status, metadata };
      return commit(resource, "ADDED", born, undefined) as KubeObject as T;
    },
    async replace<T extends KubeObject>(resource: Resource, object: KubeObject, subresource?: string) {
      await enter(callOf("replace", resource, object.metadata, subresource, object));
      return update(resource, load(resource, object.metadata), object, subresource) as KubeObject as T;
    },
    async patch<T extends KubeObject>(
      resource: Resource,
      ref: ObjectRef,
      type: PatchType,
      body: unknown,
      more: { readonly subresource?: string } = {},
    ) {
      await enter(callOf("patch", resource, ref, more.subresource, body));
      if (type === "json") fail(415, "UnsupportedMediaType", "json patch is not part of this fake");
      const old = load(resource, ref);
      const next = mergePatch(old, body) as KubeObject;
      const asked = (body as { readonly metadata?: { readonly resourceVersion?: string } }).metadata?.resourceVersion;
      const metadata = { ...next.metadata, resourceVersion: asked ?? old.metadata.resourceVersion };
      return update(resource, old, { ...next, metadata }, more.subresource) as KubeObject as T;
    },
    async delete(resource, ref, more = {}) {
      await enter(callOf("delete", resource, ref, undefined, more));
      const old = load(resource, ref);
      if (more.uid !== undefined && more.uid !== old.metadata.uid) fail(409, "Conflict", "uid differs");
      const added =
        more.propagationPolicy === "Foreground"
          ? ["foregroundDeletion"]
          : more.propagationPolicy === "Orphan"
            ? ["orphan"]
            : [];
      const finalizers = [...(old.metadata.finalizers ?? []), ...added];
      const spec = (old.spec ?? {}) as { readonly nodeName?: string; readonly finalizers?: readonly string[] };
      const isGraceful = resource.kind === "Pod" && spec.nodeName !== undefined && more.gracePeriodSeconds !== 0;
      const object = { ...old, metadata: { ...old.metadata, ...(finalizers.length > 0 ? { finalizers } : {}) } };
      if (!isGraceful && isReleased(object)) {
        commit(resource, "DELETED", old, old);
        return;
      }
      if (old.metadata.deletionTimestamp !== undefined) return;
      const deletionTimestamp = rfc3339Seconds(options.clock.now());
      commit(resource, "MODIFIED", { ...object, metadata: { ...object.metadata, deletionTimestamp } }, old);
    },
    async *watch<T extends KubeObject>(
      resource: Resource,
      more: Parameters<KubeClient["watch"]>[1],
      signal: AbortSignal,
    ): AsyncGenerator<WatchEvent<T>> {
      await enter(
        callOf("watch", resource, { name: "", ...(more.namespace === undefined ? {} : { namespace: more.namespace }) }),
      );
      const from = Number(more.resourceVersion ?? version);
      if (from < oldest) fail(410, "Expired", "too old resource version");
      const matches = matcher(more.namespace, more);
      const queue: LogEntry[] = history.filter((entry) => entry.version > from);
      let wake: () => void = () => undefined;
      let ended: { readonly thrown: unknown } | undefined;
      const watcher: Watcher = {
        push(entry) {
          queue.push(entry);
          wake();
        },
        end(thrown) {
          ended = { thrown };
          wake();
        },
      };
      const onAbort = () => watcher.end(undefined);
      signal.addEventListener("abort", onAbort, { once: true });
      watchers.add(watcher);
      try {
        for (;;) {
          const entry = queue.shift();
          if (entry === undefined) {
            if (ended?.thrown !== undefined) throw ended.thrown;
            if (ended !== undefined || signal.aborted) return;
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
            continue;
          }
          if (entry.resource.plural !== resource.plural || entry.resource.group !== resource.group) continue;
          const event = filterEvent<T>(entry, matches);
          if (event !== undefined) yield event;
        }
      } finally {
        watchers.delete(watcher);
        signal.removeEventListener("abort", onAbort);
      }
    },
    async raw(method, path) {
      return fail(404, "NotFound", `${method} ${path} is not part of this fake`);
    },
    close: () => undefined,
  };

  return {
    client,
    calls,
    disconnect(reason = "close") {
      const thrown =
        reason === "error" ? new MeshError("cut", { code: "kube.unreachable", retryable: true }) : undefined;
      for (const watcher of watchers) watcher.end(thrown);
    },
    setDown(down) {
      isDown = down;
      if (down) for (const watcher of watchers) watcher.end(new MeshError("down", { code: "kube.unreachable" }));
    },
    expireHistory() {
      history = [];
      version += 1;
      oldest = version;
    },
    intercept(next) {
      hook = next;
    },
    all: <T extends KubeObject>(resource: Resource) =>
      [...tableOf(resource).values()].map((object) => structuredClone(object)) as readonly KubeObject[] as readonly T[],
  };
}

function callOf(verb: Call["verb"], resource: Resource, ref: ObjectRef, subresource?: string, body?: unknown): Call {
  return { verb, resource, namespace: ref.namespace, name: ref.name, subresource, body };
}

function filterEvent<T extends KubeObject>(
  entry: LogEntry,
  matches: (object: Stored) => boolean,
): WatchEvent<T> | undefined {
  const object = structuredClone(entry.object) as KubeObject as T;
  const is = matches(entry.object);
  const was = entry.old !== undefined && matches(entry.old);
  if (entry.type === "DELETED") return was || is ? { type: "DELETED", object } : undefined;
  if (is) return { type: was ? "MODIFIED" : "ADDED", object };
  return was ? { type: "DELETED", object } : undefined;
}

function matcher(namespace: string | undefined, selectors: ListOptions): (object: Stored) => boolean {
  const labels = parseLabelSelector(selectors.labelSelector ?? "");
  const fields = parseFieldSelector(selectors.fieldSelector ?? "");
  if (!labels.ok || !fields.ok) throw new Error("bad selector in a test");
  return (object) =>
    (namespace === undefined || object.metadata.namespace === namespace) &&
    matchesLabels(labels.value, object.metadata.labels) &&
    matchesFields(fields.value, object);
}

function isReleased(object: KubeObject): boolean {
  const spec = (object.spec ?? {}) as { readonly finalizers?: readonly string[] };
  const own = object.kind === "Namespace" ? (spec.finalizers ?? []) : [];
  return (object.metadata.finalizers ?? []).length === 0 && own.length === 0;
}

/** RFC 7386. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return structuredClone(patch);
  const result: Fields =
    typeof target === "object" && target !== null && !Array.isArray(target) ? { ...(target as Fields) } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
