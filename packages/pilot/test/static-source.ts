/** A ConfigSource whose world is set by the test: the same resources for every proxy. */
import type { ConfigChange, ConfigSource } from "../src/serve/config-source.ts";

export interface StaticSource extends ConfigSource {
  set(typeUrl: string, name: string, resource: object | undefined): void;
  /** Lookups since the start, by type URL. */
  readonly asked: Map<string, number>;
}

export function createStaticSource(affects: ConfigChange["affects"] = () => true): StaticSource {
  const world = new Map<string, Map<string, object>>();
  const listeners = new Set<(change: ConfigChange) => void>();
  const asked = new Map<string, number>();
  return {
    asked,
    resources(_node, typeUrl, names) {
      asked.set(typeUrl, (asked.get(typeUrl) ?? 0) + 1);
      const all = world.get(typeUrl) ?? new Map<string, object>();
      return new Map([...all].filter(([name]) => names === "*" || names.has(name)));
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    set(typeUrl, name, resource) {
      const names = world.get(typeUrl) ?? new Map<string, object>();
      world.set(typeUrl, names);
      if (resource === undefined) names.delete(name);
      else names.set(name, resource);
      for (const listener of listeners) listener({ typeUrls: new Set([typeUrl]), affects });
    },
  };
}
