/**
 * A local copy of one resource that follows the API server: list, then watch from the list's resourceVersion.
 *
 *   listing ──ok──► watching ──closed by the server──► watching from the last resourceVersion
 *      ▲               │ error (410 Expired, connection lost, server restarted)
 *      └───back-off────┘
 *
 * Invariant: after every list the difference to what was held is told as ADDED, MODIFIED and DELETED, so a handler never misses a
 * change and never hears of one that did not happen; an object that was deleted and made anew under its name is told as both.
 * Errors lead to a list, not to a resumed watch: after a restart the server's history may begin later or be another one.
 */
import {
  type BackoffPolicy,
  backoffDelay,
  type Clock,
  describeError,
  type Logger,
  MeshError,
  sleep,
} from "@argyle/core";
import type { KubeObject, Resource } from "@argyle/kube-types";
import type { KubeClient, ListOptions, WatchEvent } from "./client.ts";
import { isExpired } from "./errors.ts";
import { type Collection, createKeyedStore, objectKey } from "./keyed-store.ts";

export interface InformerOptions extends ListOptions {
  readonly client: KubeClient;
  readonly resource: Resource;
  readonly namespace?: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random?: () => number;
  readonly backoff?: BackoffPolicy;
}

export interface Informer<T extends KubeObject> extends Collection<T> {
  hasSynced(): boolean;
  close(): Promise<void>;
}

const BACKOFF: BackoffPolicy = { baseMs: 20, maxMs: 1000 };

/** Starts at once. */
export function createInformer<T extends KubeObject>(options: InformerOptions): Informer<T> {
  const { client, resource, clock } = options;
  const log = options.log.scope("informer");
  const store = createKeyedStore<T>((thrown) =>
    log.error("a change handler failed", { resource: resource.plural, error: describeError(thrown) }),
  );
  const abort = new AbortController();
  const selectors: ListOptions = {
    ...(options.labelSelector === undefined ? {} : { labelSelector: options.labelSelector }),
    ...(options.fieldSelector === undefined ? {} : { fieldSelector: options.fieldSelector }),
  };
  let isSynced = false;
  let resolveSynced: () => void = () => undefined;
  let rejectSynced: (reason: unknown) => void = () => undefined;
  const synced = new Promise<void>((resolve, reject) => {
    resolveSynced = resolve;
    rejectSynced = reject;
  });
  // Whoever awaits it sees the rejection; nobody has to.
  synced.catch(() => undefined);

  const relist = async (): Promise<string> => {
    const list = await client.list<T>(resource, options.namespace, selectors);
    if (abort.signal.aborted) return list.metadata.resourceVersion;
    const listed = new Set<string>();
    for (const object of list.items) listed.add(objectKey(object));
    for (const key of store.keys()) if (!listed.has(key)) store.delete(key);
    for (const object of list.items) accept(object);
    isSynced = true;
    resolveSynced();
    return list.metadata.resourceVersion;
  };

  const accept = (object: T) => {
    const key = objectKey(object);
    const held = store.get(key);
    if (held !== undefined) {
      if (held.metadata.uid !== object.metadata.uid) store.delete(key);
      else if (held.metadata.resourceVersion === object.metadata.resourceVersion) return;
    }
    store.set(key, object);
  };

  const follow = async (from: string, onProgress: () => void): Promise<string> => {
    let resourceVersion = from;
    const namespace = options.namespace === undefined ? {} : { namespace: options.namespace };
    const stream = client.watch<T>(resource, { ...selectors, ...namespace, resourceVersion }, abort.signal);
    for await (const event of stream) {
      if (abort.signal.aborted) break;
      apply(event);
      resourceVersion = event.type === "BOOKMARK" ? event.resourceVersion : versionOf(event.object, resourceVersion);
      onProgress();
    }
    return resourceVersion;
  };

  const apply = (event: WatchEvent<T>) => {
    switch (event.type) {
      case "ADDED":
      case "MODIFIED":
        accept(event.object);
        break;
      case "DELETED":
        store.delete(objectKey(event.object), event.object);
        break;
      case "BOOKMARK":
        break;
    }
  };

  const run = async () => {
    let resourceVersion: string | undefined;
    let failures = 0;
    while (!abort.signal.aborted) {
      try {
        if (resourceVersion === undefined) resourceVersion = await relist();
        const before = clock.monotonic();
        let progressed = false;
        resourceVersion = await follow(resourceVersion, () => {
          progressed = true;
          failures = 0;
        });
        // A server that closes watches at once must not be asked in a tight loop.
        if (progressed || clock.monotonic() - before > 1000) continue;
      } catch (thrown) {
        if (abort.signal.aborted) return;
        resourceVersion = undefined;
        if (isExpired(thrown) && failures === 0) {
          failures = 1;
          continue;
        }
        if (failures === 0)
          log.debug("lost the API server", { resource: resource.plural, error: describeError(thrown) });
        else if (failures === 5) log.warn("cannot follow", { resource: resource.plural, error: describeError(thrown) });
      }
      const delayMs = backoffDelay(options.backoff ?? BACKOFF, failures++, options.random ?? Math.random);
      await sleep(clock, delayMs, abort.signal).catch(() => undefined);
    }
  };

  const running = run();
  const informer: Informer<T> = {
    synced,
    hasSynced: () => isSynced,
    get: store.get,
    list: store.list,
    index: (valuesOf) => store.index(informer, valuesOf),
    onChange: store.onChange,
    async close() {
      abort.abort();
      rejectSynced(new MeshError("the informer was closed before it had listed", { code: "kube.informer.closed" }));
      await running;
    },
  };
  return informer;
}

function versionOf(object: KubeObject, otherwise: string): string {
  return object.metadata.resourceVersion ?? otherwise;
}
