/**
 * One object per content: translation makes equal resources again and again, the wire encodes each once.
 * An entry lives as long as somebody holds the object.
 */
import { hash } from "node:crypto";
import type { EnvoyMessage } from "./model/json.ts";

export interface ResourceTable {
  /** The shared object of this content: the first one that came with it. Members that are undefined count as absent. */
  intern(typeUrl: string, resource: EnvoyMessage): object;
  size(): number;
}

export function createResourceTable(): ResourceTable {
  const held = new Map<string, WeakRef<object>>();
  const registry = new FinalizationRegistry<string>((key) => {
    if (held.get(key)?.deref() === undefined) held.delete(key);
  });
  return {
    intern(typeUrl, resource) {
      const json = JSON.stringify(resource);
      const key = hash("md5", `${typeUrl} ${json}`, "base64");
      const known = held.get(key)?.deref();
      if (known !== undefined) return known;
      held.set(key, new WeakRef(resource));
      registry.register(resource, key);
      return resource;
    },
    size: () => held.size,
  };
}
