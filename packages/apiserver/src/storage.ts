/**
 * The revisioned store: every object in memory, every commit in the log (persist/log-file.ts) before it is visible.
 * One counter for all resources; a commit takes the next revision, which becomes the object's resourceVersion.
 * Commits are synchronous, so two of them never interleave: optimistic concurrency is the `expected` check and nothing else.
 * Invariants: a failed append leaves memory and revision untouched; objects handed out are never changed in place.
 */
import { type Clock, type Logger, MeshError } from "@argyle/core";
import type { KubeObject, Resource } from "@argyle/kube-types";
import { isJsonObject } from "./json.ts";
import { type LogSystem, openLogFile } from "./persist/log-file.ts";
import { textOfStored } from "./stored-text.ts";

export interface StoreEvent {
  readonly revision: number;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  /** `group/plural`, see `resourceKey`. */
  readonly key: string;
  /** For DELETED the last state, with the revision of the deletion. */
  readonly object: KubeObject;
  readonly previous: KubeObject | undefined;
}

/** What the caller believes to be stored: an object (compared by identity), nothing, or no opinion. */
export type Expected = KubeObject | "absent" | "any";

export interface Store {
  revision(): number;
  get(resource: Resource, namespace: string | undefined, name: string): KubeObject | undefined;
  /** In the order of namespace, then name. */
  list(resource: Resource, namespace?: string): readonly KubeObject[];
  /** Stores the object under the next revision, or returns undefined when `expected` is not what is there. */
  put(resource: Resource, object: KubeObject, expected: Expected): KubeObject | undefined;
  /** Removes the object; returns its last state with the new revision, or undefined when `expected` is not what is there. */
  remove(resource: Resource, object: KubeObject): KubeObject | undefined;
  subscribe(listener: (event: StoreEvent) => void): void;
  /** Events of the log that was read at start, for clients that resume a watch across a restart. */
  recent(): readonly StoreEvent[];
  count(): number;
  sizes(): ReadonlyMap<string, number>;
  close(): void;
}

export interface StoreOptions {
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly system?: LogSystem;
  /** A snapshot is taken when the log is larger than this and than twice the last snapshot. */
  readonly snapshotAfterBytes?: number;
}

const RECENT_EVENTS = 4096;
const ADDRESS = /^(\S+)$/;

export function resourceKey(resource: Pick<Resource, "group" | "plural">): string {
  return `${resource.group}/${resource.plural}`;
}

export function openStore(options: StoreOptions): Store {
  const { clock, log } = options;
  const opened = openLogFile(options.dir, clock, log, options.system);
  const { file } = opened;
  const tables = new Map<string, Map<string, KubeObject>>();
  const listeners: ((event: StoreEvent) => void)[] = [];
  let revision = 0;
  const recent: StoreEvent[] = [];

  const tableOf = (key: string) => {
    let table = tables.get(key);
    if (table === undefined) {
      table = new Map();
      tables.set(key, table);
    }
    return table;
  };

  for (const payload of opened.snapshot) {
    const record = decode(payload);
    if (record.kind === "revision") revision = record.revision;
    else if (record.kind === "put") tableOf(record.key).set(addressOf(record.object), record.object);
  }
  for (const payload of opened.records) {
    const record = decode(payload);
    if (record.kind === "revision" || record.revision <= revision) continue;
    revision = record.revision;
    const table = tableOf(record.key);
    if (record.kind === "put") {
      const address = addressOf(record.object);
      const previous = table.get(address);
      table.set(address, record.object);
      const type = previous === undefined ? "ADDED" : "MODIFIED";
      recent.push({ revision, type, key: record.key, object: record.object, previous });
    } else {
      const previous = table.get(record.address);
      table.delete(record.address);
      if (previous !== undefined) {
        const object = atRevision(previous, revision);
        recent.push({ revision, type: "DELETED", key: record.key, object, previous });
      }
    }
    if (recent.length > 2 * RECENT_EVENTS) recent.splice(0, RECENT_EVENTS);
  }
  if (opened.cutBytes > 0) log.warn("store: cut off a torn record at the end of the log", { bytes: opened.cutBytes });

  const snapshot = () => {
    file.writeSnapshot(
      (function* () {
        yield JSON.stringify({ revision });
        for (const [key, table] of tables) for (const o of table.values()) yield JSON.stringify({ r: 0, k: key, o });
      })(),
    );
  };
  const snapshotWhenLarge = () => {
    if (file.size() <= Math.max(options.snapshotAfterBytes ?? 8 * 1024 * 1024, 2 * file.snapshotSize())) return;
    try {
      snapshot();
    } catch (error) {
      // The log alone is still complete, so this is no reason to refuse the commit that triggered it.
      log.error("store: could not write a snapshot", { error: String(error) });
    }
  };
  const publish = (event: StoreEvent) => {
    for (const listener of listeners) listener(event);
    snapshotWhenLarge();
  };

  return {
    revision: () => revision,
    get: (resource, namespace, name) => tables.get(resourceKey(resource))?.get(address(namespace, name)),
    list(resource, namespace) {
      const table = tables.get(resourceKey(resource));
      if (table === undefined) return [];
      const found: [string, KubeObject][] = [];
      const prefix = namespace === undefined ? undefined : `${namespace}/`;
      for (const entry of table) if (prefix === undefined || entry[0].startsWith(prefix)) found.push(entry);
      found.sort(([a], [b]) => (a < b ? -1 : 1));
      return found.map(([, object]) => object);
    },
    put(resource, object, expected) {
      const key = resourceKey(resource);
      const table = tableOf(key);
      const where = addressOf(object);
      const previous = table.get(where);
      if (expected !== "any" && (expected === "absent" ? previous !== undefined : previous !== expected)) {
        return undefined;
      }
      const next = revision + 1;
      const stored = atRevision(object, next);
      file.append(`{"r":${next},"k":${JSON.stringify(key)},"o":${textOfStored(stored)}}`);
      revision = next;
      table.set(where, stored);
      publish({ revision, type: previous === undefined ? "ADDED" : "MODIFIED", key, object: stored, previous });
      return stored;
    },
    remove(resource, object) {
      const key = resourceKey(resource);
      const table = tableOf(key);
      const where = addressOf(object);
      const previous = table.get(where);
      if (previous === undefined || previous !== object) return undefined;
      const next = revision + 1;
      file.append(JSON.stringify({ r: next, k: key, d: where }));
      revision = next;
      table.delete(where);
      const last = atRevision(previous, next);
      publish({ revision, type: "DELETED", key, object: last, previous });
      return last;
    },
    subscribe: (listener) => void listeners.push(listener),
    recent: () => recent.slice(-RECENT_EVENTS),
    count: () => [...tables.values()].reduce((sum, table) => sum + table.size, 0),
    sizes: () => new Map([...tables].map(([key, table]) => [key, table.size])),
    close: () => file.close(),
  };
}

type LogRecord =
  | { readonly kind: "revision"; readonly revision: number }
  | { readonly kind: "put"; readonly revision: number; readonly key: string; readonly object: KubeObject }
  | { readonly kind: "remove"; readonly revision: number; readonly key: string; readonly address: string };

/** Decode edge: what the CRC vouches for was written by `openStore`. */
function decode(payload: string): LogRecord {
  const record: unknown = JSON.parse(payload);
  if (isJsonObject(record)) {
    if (typeof record.revision === "number") return { kind: "revision", revision: record.revision };
    if (typeof record.r === "number" && typeof record.k === "string") {
      if (isJsonObject(record.o)) {
        return { kind: "put", revision: record.r, key: record.k, object: record.o as unknown as KubeObject };
      }
      if (typeof record.d === "string" && ADDRESS.test(record.d)) {
        return { kind: "remove", revision: record.r, key: record.k, address: record.d };
      }
    }
  }
  throw new MeshError("the store holds a record of unknown form", { code: "apiserver.store.damaged" });
}

function address(namespace: string | undefined, name: string): string {
  return `${namespace ?? ""}/${name}`;
}

function addressOf(object: KubeObject): string {
  return address(object.metadata.namespace, object.metadata.name);
}

function atRevision(object: KubeObject, revision: number): KubeObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
}
