/**
 * Derived collections in the spirit of Istio's krt: each output is computed from one object of a source collection and from whatever
 * else the computation fetches. What was fetched is remembered, so a change recomputes only the outputs that read it; an
 * output that comes out equal is not told.
 *
 * Theory of operation: a change marks source keys dirty and books one flush as a microtask, so a burst (a list, one chunk of a
 * watch) is computed once. A read flushes first. So a collection that fetches from another derived one always sees its newest state,
 * whatever the order of subscriptions.
 */
import { isDeepStrictEqual } from "node:util";
import { type Change, type Collection, createKeyedStore, type Index } from "./keyed-store.ts";

export interface Fetch {
  get<T>(collection: Collection<T>, key: string): T | undefined;
  lookup<T>(index: Index<T>, value: string): readonly T[];
  /** Depends on every object of the collection: prefer `get` and `lookup`. */
  list<T>(collection: Collection<T>): readonly T[];
}

export interface CollectionOptions<I, O> {
  readonly source: Collection<I>;
  /** Undefined: this input has no output. The output has the input's key. Must be pure. */
  readonly transform: (input: I, fetch: Fetch, key: string) => O | undefined;
  readonly equal?: (a: O, b: O) => boolean;
  /** Told of a transform that threw: its input has no output until something it read changes. */
  readonly onError: (thrown: unknown, key: string) => void;
}

export interface ManyCollectionOptions<I, O> extends Omit<CollectionOptions<I, O>, "transform"> {
  /** Key of an output. When two inputs make the same key, the one that was computed last wins. */
  readonly keyOf: (output: O) => string;
  readonly transform: (input: I, fetch: Fetch, key: string) => readonly O[];
}

export interface DerivedCollection<T> extends Collection<T> {
  close(): void;
}

export interface SingletonOptions<O> {
  /** Collections whose sync is awaited before the first value counts as complete. */
  readonly inputs: readonly Collection<unknown>[];
  readonly transform: (fetch: Fetch) => O;
  readonly equal?: (a: O, b: O) => boolean;
  readonly onError: (thrown: unknown) => void;
}

export interface Singleton<O> {
  readonly synced: Promise<void>;
  get(): O | undefined;
  onChange(handler: (value: O | undefined) => void): () => void;
  close(): void;
}

/** One output per input at most. */
export function createCollection<I, O>(options: CollectionOptions<I, O>): DerivedCollection<O> {
  return derive(
    options.source,
    (input, fetch, key) => {
      const output = options.transform(input, fetch, key);
      return output === undefined ? [] : [[key, output]];
    },
    options,
  );
}

/** Any number of outputs per input. */
export function createManyCollection<I, O>(options: ManyCollectionOptions<I, O>): DerivedCollection<O> {
  return derive(
    options.source,
    (input, fetch, key) => options.transform(input, fetch, key).map((output) => [options.keyOf(output), output]),
    options,
  );
}

/** One value computed from whatever it fetches. */
export function createSingleton<O>(options: SingletonOptions<O>): Singleton<O> {
  const source = createKeyedStore<null>(options.onError);
  source.set(ONLY, null);
  const trigger: Collection<null> = {
    synced: Promise.all(options.inputs.map((input) => input.synced)).then(() => undefined),
    get: source.get,
    list: source.list,
    index: (valuesOf) => source.index(trigger, valuesOf),
    onChange: source.onChange,
  };
  trigger.synced.catch(() => undefined);
  const { equal, onError } = options;
  const derived = derive<null, { readonly value: O }>(
    trigger,
    (_input, fetch) => [[ONLY, { value: options.transform(fetch) }]],
    {
      equal: (a, b) => (equal ?? isDeepStrictEqual)(a.value, b.value),
      onError,
    },
  );
  return {
    synced: derived.synced,
    get: () => derived.get(ONLY)?.value,
    onChange: (handler) =>
      derived.onChange((change) => handler(change.type === "DELETED" ? undefined : change.object.value)),
    close: derived.close,
  };
}

const ONLY = "";

/** What one source key read, so that a change can be traced back to it. */
interface Reads {
  readonly keys: Map<Collection<unknown>, Set<string>>;
  readonly indexed: Map<Index<unknown>, Set<string>>;
  readonly whole: Set<Collection<unknown>>;
}

function derive<I, O>(
  source: Collection<I>,
  compute: (input: I, fetch: Fetch, key: string) => readonly (readonly [string, O])[],
  options: { readonly equal?: (a: O, b: O) => boolean; readonly onError: (thrown: unknown, key: string) => void },
): DerivedCollection<O> {
  const equal = options.equal ?? isDeepStrictEqual;
  const store = createKeyedStore<O>((thrown) => options.onError(thrown, ""));
  const outputs = new Map<string, readonly string[]>();
  const makers = new Map<string, string>();
  const reads = new Map<string, Reads>();
  const dirty = new Set<string>();
  const subscriptions = new Map<Collection<unknown>, () => void>();
  let isBooked = false;
  let isClosed = false;

  const markDirty = (key: string) => {
    dirty.add(key);
    if (isBooked || isClosed) return;
    isBooked = true;
    queueMicrotask(() => {
      isBooked = false;
      flush();
    });
  };

  const flush = () => {
    for (const key of dirty) {
      dirty.delete(key);
      if (!isClosed) recompute(key);
    }
  };

  const recompute = (key: string) => {
    const input = source.get(key);
    const own: Reads = { keys: new Map(), indexed: new Map(), whole: new Set() };
    let made: readonly (readonly [string, O])[] = [];
    if (input !== undefined) {
      reads.set(key, own);
      try {
        made = compute(input, fetchFor(own), key);
      } catch (thrown) {
        options.onError(thrown, key);
      }
    } else reads.delete(key);
    const before = outputs.get(key) ?? [];
    const now = new Set(made.map(([outputKey]) => outputKey));
    if (now.size > 0) outputs.set(key, [...now]);
    else outputs.delete(key);
    for (const outputKey of before) {
      if (now.has(outputKey) || makers.get(outputKey) !== key) continue;
      makers.delete(outputKey);
      store.delete(outputKey);
    }
    for (const [outputKey, output] of made) {
      makers.set(outputKey, key);
      const held = store.get(outputKey);
      if (held === undefined || !equal(held, output)) store.set(outputKey, output);
    }
  };

  const subscribe = (collection: Collection<unknown>) => {
    if (subscriptions.has(collection)) return;
    let isReplay = true;
    // Registered first: the replay of what is there must not recurse into a second subscription.
    subscriptions.set(collection, () => undefined);
    const unsubscribe = collection.onChange((change) => {
      if (isReplay) return;
      for (const [key, own] of reads) if (isAffected(own, collection, change)) markDirty(key);
    });
    isReplay = false;
    subscriptions.set(collection, unsubscribe);
  };

  const fetchFor = (own: Reads): Fetch => ({
    get(collection, key) {
      subscribe(collection);
      remember(own.keys, collection, key);
      return collection.get(key);
    },
    lookup(index, value) {
      subscribe(index.source);
      remember(own.indexed, index, value);
      return index.lookup(value);
    },
    list(collection) {
      subscribe(collection);
      own.whole.add(collection);
      return collection.list();
    },
  });

  const unsubscribeSource = source.onChange((change) => markDirty(change.key));
  const synced = source.synced.then(async () => {
    flush();
    await Promise.all([...subscriptions.keys()].map((collection) => collection.synced));
    flush();
  });
  synced.catch(() => undefined);

  const derived: DerivedCollection<O> = {
    synced,
    get(key) {
      flush();
      return store.get(key);
    },
    list() {
      flush();
      return store.list();
    },
    index(valuesOf) {
      const inner = store.index(derived, valuesOf);
      return {
        ...inner,
        lookup(value) {
          flush();
          return inner.lookup(value);
        },
      };
    },
    onChange(handler) {
      flush();
      return store.onChange(handler);
    },
    close() {
      isClosed = true;
      dirty.clear();
      unsubscribeSource();
      for (const unsubscribe of subscriptions.values()) unsubscribe();
    },
  };
  return derived;
}

function remember<K>(table: Map<K, Set<string>>, of: K, value: string): void {
  const values = table.get(of);
  if (values === undefined) table.set(of, new Set([value]));
  else values.add(value);
}

function isAffected(own: Reads, collection: Collection<unknown>, change: Change<unknown>): boolean {
  if (own.whole.has(collection)) return true;
  if (own.keys.get(collection)?.has(change.key) === true) return true;
  for (const [index, values] of own.indexed) {
    if (index.source !== collection) continue;
    if (index.valuesOf(change.object).some((value) => values.has(value))) return true;
    if (change.old !== undefined && index.valuesOf(change.old).some((value) => values.has(value))) return true;
  }
  return false;
}
