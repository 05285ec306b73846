/**
 * The one shape in which clients hold objects: keyed, indexed, with change events. Informers fill it from the API server, derived
 * collections fill it by computing.
 * Invariants: indexes are up to date before any handler runs; a handler sees every change exactly once and in order; a handler
 * that subscribes late is first told of everything that is there, as ADDED.
 */
import type { KubeObject, ObjectMeta } from "@argyle/kube-types";

export type Change<T> =
  | { readonly type: "ADDED"; readonly key: string; readonly object: T; readonly old: undefined }
  | { readonly type: "MODIFIED"; readonly key: string; readonly object: T; readonly old: T }
  | { readonly type: "DELETED"; readonly key: string; readonly object: T; readonly old: T };

export interface Index<T> {
  readonly source: Collection<T>;
  valuesOf(object: T): readonly string[];
  lookup(value: string): readonly T[];
}

export interface Collection<T> {
  /** Resolves when the first complete state is there; rejects when it was closed before. */
  readonly synced: Promise<void>;
  get(key: string): T | undefined;
  list(): readonly T[];
  index(valuesOf: (object: T) => readonly string[]): Index<T>;
  /** Returns the function that ends the subscription. */
  onChange(handler: (change: Change<T>) => void): () => void;
}

export interface KeyedStore<T> extends Omit<Collection<T>, "synced" | "index"> {
  index(source: Collection<T>, valuesOf: (object: T) => readonly string[]): Index<T>;
  keys(): readonly string[];
  /** Adds or replaces, and tells the handlers. */
  set(key: string, object: T): void;
  /** `last` is the state at deletion when it is known to be newer than what is held. */
  delete(key: string, last?: T): void;
}

/** `namespace/name`, or `name` for cluster-scoped objects. */
export function objectKey(object: { readonly metadata: Pick<ObjectMeta, "namespace" | "name"> }): string {
  return keyOf(object.metadata.namespace, object.metadata.name);
}

export function keyOf(namespace: string | undefined, name: string): string {
  return namespace === undefined || namespace === "" ? name : `${namespace}/${name}`;
}

export function splitKey(key: string): { readonly namespace?: string; readonly name: string } {
  const slash = key.indexOf("/");
  return slash === -1 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** Index by `namespace`, the most common one. */
export function namespaceOf(object: KubeObject): readonly string[] {
  return [object.metadata.namespace ?? ""];
}

export function createKeyedStore<T>(onHandlerError: (thrown: unknown) => void): KeyedStore<T> {
  const objects = new Map<string, T>();
  const indexes: IndexTable<T>[] = [];
  const handlers = new Set<(change: Change<T>) => void>();

  const tell = (handler: (change: Change<T>) => void, change: Change<T>) => {
    try {
      handler(change);
    } catch (thrown) {
      onHandlerError(thrown);
    }
  };
  const tellAll = (change: Change<T>) => {
    for (const handler of handlers) tell(handler, change);
  };

  return {
    get: (key) => objects.get(key),
    list: () => [...objects.values()],
    keys: () => [...objects.keys()],
    index(source, valuesOf) {
      const table: IndexTable<T> = { valuesOf, keysByValue: new Map() };
      for (const [key, object] of objects) addToIndex(table, key, object);
      indexes.push(table);
      return {
        source,
        valuesOf,
        lookup(value) {
          const found: T[] = [];
          for (const key of table.keysByValue.get(value) ?? []) {
            const object = objects.get(key);
            if (object !== undefined) found.push(object);
          }
          return found;
        },
      };
    },
    onChange(handler) {
      for (const [key, object] of objects) tell(handler, { type: "ADDED", key, object, old: undefined });
      handlers.add(handler);
      return () => void handlers.delete(handler);
    },
    set(key, object) {
      const old = objects.get(key);
      for (const table of indexes) {
        if (old !== undefined) removeFromIndex(table, key, old);
        addToIndex(table, key, object);
      }
      objects.set(key, object);
      tellAll(
        old === undefined ? { type: "ADDED", key, object, old: undefined } : { type: "MODIFIED", key, object, old },
      );
    },
    delete(key, last) {
      const old = objects.get(key);
      if (old === undefined) return;
      for (const table of indexes) removeFromIndex(table, key, old);
      objects.delete(key);
      tellAll({ type: "DELETED", key, object: last ?? old, old });
    },
  };
}

interface IndexTable<T> {
  readonly valuesOf: (object: T) => readonly string[];
  readonly keysByValue: Map<string, Set<string>>;
}

function addToIndex<T>(table: IndexTable<T>, key: string, object: T): void {
  for (const value of table.valuesOf(object)) {
    const keys = table.keysByValue.get(value);
    if (keys === undefined) table.keysByValue.set(value, new Set([key]));
    else keys.add(key);
  }
}

function removeFromIndex<T>(table: IndexTable<T>, key: string, object: T): void {
  for (const value of table.valuesOf(object)) {
    const keys = table.keysByValue.get(value);
    if (keys === undefined) continue;
    keys.delete(key);
    if (keys.size === 0) table.keysByValue.delete(value);
  }
}
