/**
 * Resources decoded once per content, from the wire or from JSON, and shared by the agents of a worker: most clusters, endpoints and routes are the same bytes for
 * every sidecar. What nobody uses any more is collected. Invariant: decoded resources are never changed by anyone.
 */
import { hash } from "node:crypto";
import type { Result } from "@argyle/core";
import type { PackedResource, XdsRegistry } from "@argyle/xds";

export interface DecodedResources {
  decode(packed: PackedResource): Result<object>;
  /** Throws SyntaxError. */
  parse(json: string): object;
  size(): number;
}

export function createDecodedResources(registry: XdsRegistry): DecodedResources {
  const known = new Map<string, WeakRef<object>>();
  const collected = new FinalizationRegistry<string>((key) => {
    if (known.get(key)?.deref() === undefined) known.delete(key);
  });
  const remember = (key: string, value: object) => {
    known.set(key, new WeakRef(value));
    collected.register(value, key);
  };
  return {
    size: () => known.size,
    decode({ typeUrl, value }) {
      const key = `${typeUrl} ${hash("sha256", value, "base64")}`;
      const shared = known.get(key)?.deref();
      if (shared !== undefined) return { ok: true, value: shared };
      const decoded = registry.decode(typeUrl, value);
      if (decoded.ok) remember(key, decoded.value);
      return decoded;
    },
    parse(json) {
      const key = hash("sha256", json, "base64");
      const shared = known.get(key)?.deref();
      if (shared !== undefined) return shared;
      const value = JSON.parse(json) as object;
      remember(key, value);
      return value;
    },
  };
}
