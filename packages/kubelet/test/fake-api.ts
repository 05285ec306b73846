/** An API server in memory behind the KubeClient interface: enough of list, watch, create, patch and delete for the kubelet's tests. */
import type { KubeClient, WatchEvent } from "@argyle/kube-client";
import type { KubeObject, Resource } from "@argyle/kube-types";

export interface FakeApi extends KubeClient {
  put(resource: Resource, object: KubeObject): void;
  all(kind: string): readonly KubeObject[];
  object<T extends KubeObject>(kind: string, name: string): T | undefined;
}

type Json = Record<string, unknown>;

export function createFakeApi(): FakeApi {
  const objects = new Map<string, KubeObject>();
  const watchers = new Set<{ plural: string; push: (event: WatchEvent<KubeObject>) => void }>();
  let version = 0;
  const key = (resource: Resource, ref: { namespace?: string | undefined; name: string }) =>
    `${resource.plural}/${ref.namespace ?? ""}/${ref.name}`;
  const tell = (resource: Resource, type: "ADDED" | "MODIFIED" | "DELETED", object: KubeObject) => {
    for (const watcher of watchers) if (watcher.plural === resource.plural) watcher.push({ type, object });
  };
  const store = (resource: Resource, object: KubeObject): KubeObject => {
    version += 1;
    const at = key(resource, object.metadata);
    const type = objects.has(at) ? "MODIFIED" : "ADDED";
    const next = {
      ...object,
      metadata: { uid: `uid-${version}`, ...object.metadata, resourceVersion: String(version) },
    };
    objects.set(at, next);
    tell(resource, type, next);
    return next;
  };
  const notFound = () => Object.assign(new Error("not found"), { code: "kube.not-found" });
  const api: FakeApi = {
    put: (resource, object) => void store(resource, object),
    all: (kind) => [...objects.values()].filter((object) => object.kind === kind),
    object: <T extends KubeObject>(kind: string, name: string) =>
      [...objects.values()].find((object) => object.kind === kind && object.metadata.name === name) as T | undefined,
    async get<T extends KubeObject>(resource: Resource, ref: { namespace?: string; name: string }) {
      const found = objects.get(key(resource, ref));
      if (found === undefined) throw notFound();
      return found as T;
    },
    find: async <T extends KubeObject>(resource: Resource, ref: { namespace?: string; name: string }) =>
      objects.get(key(resource, ref)) as T | undefined,
    list: async <T extends KubeObject>(resource: Resource) => ({
      metadata: { resourceVersion: String(version) },
      items: [...objects].filter(([at]) => at.startsWith(`${resource.plural}/`)).map(([, object]) => object as T),
    }),
    create: async <T extends KubeObject>(resource: Resource, object: KubeObject) => store(resource, object) as T,
    replace: async <T extends KubeObject>(resource: Resource, object: KubeObject) => store(resource, object) as T,
    async patch<T extends KubeObject>(
      resource: Resource,
      ref: { namespace?: string; name: string },
      _type: string,
      body: unknown,
    ) {
      const found = objects.get(key(resource, ref));
      if (found === undefined) throw notFound();
      return store(resource, merge(found as unknown as Json, body as Json) as unknown as KubeObject) as T;
    },
    async delete(resource, ref, options) {
      const at = key(resource, ref);
      const found = objects.get(at);
      if (found === undefined) throw notFound();
      const grace = options?.gracePeriodSeconds ?? 30;
      if (resource.kind === "Pod" && grace > 0) {
        const metadata = {
          ...found.metadata,
          deletionTimestamp: "2026-01-01T00:00:00Z",
          deletionGracePeriodSeconds: grace,
        };
        store(resource, { ...found, metadata });
        return;
      }
      objects.delete(at);
      tell(resource, "DELETED", found);
    },
    async *watch<T extends KubeObject>(resource: Resource, _options: unknown, signal: AbortSignal) {
      const queue: WatchEvent<KubeObject>[] = [];
      let wake: () => void = () => undefined;
      const watcher = {
        plural: resource.plural,
        push(event: WatchEvent<KubeObject>) {
          queue.push(event);
          wake();
        },
      };
      watchers.add(watcher);
      signal.addEventListener("abort", () => wake());
      try {
        while (!signal.aborted) {
          for (let next = queue.shift(); next !== undefined; next = queue.shift()) yield next as WatchEvent<T>;
          await new Promise<void>((resolve) => {
            wake = resolve;
            if (signal.aborted || queue.length > 0) resolve();
          });
        }
      } finally {
        watchers.delete(watcher);
      }
    },
    raw: async () => ({
      status: { token: `token-${++version}`, expirationTimestamp: new Date(Date.now() + 3_600_000).toISOString() },
    }),
    close: () => undefined,
  };
  return api;
}

/** RFC 7386. */
function merge(target: Json, patch: Json): Json {
  const result: Json = { ...target };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else if (typeof value === "object" && !Array.isArray(value)) {
      const old = result[name];
      result[name] = merge(
        typeof old === "object" && old !== null && !Array.isArray(old) ? (old as Json) : {},
        value as Json,
      );
    } else result[name] = value;
  }
  return result;
}
