/**
 * Resources decoded once per content and shared by the agents of a worker: most clusters, endpoints and routes are the same bytes for
 * every sidecar. What nobody uses any more is collected. Invariant: decoded resources are never changed by anyone.
 */
import { createHash } from "node:crypto";
import type { Result } from "@argyle/core";
import type { PackedResource, XdsRegistry } from "@argyle/xds";

export interface DecodedResources {
  decode(packed: PackedResource): Result<object>;
  size(): number;
}

export function createDecodedResources(registry: XdsRegistry): DecodedResources {
  const known = new Map<string, WeakRef<object>>();
  const collected = new FinalizationRegistry<string>((key) => {
    if (known.get(key)?.deref() === undefined) known.delete(key);
  });
  return {
    size: () => known.size,
    decode({ typeUrl, value }) {
      const key = createHash("sha256").update(typeUrl).update("\n").update(value).digest("base64");
      const shared = known.get(key)?.deref();
      if (shared !== undefined) return { ok: true, value: shared };
      const decoded = registry.decode(typeUrl, value);
      if (decoded.ok) {
        known.set(key, new WeakRef(decoded.value));
        collected.register(decoded.value, key);
      }
      return decoded;
    },
  };
}
