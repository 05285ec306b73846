/**
 * Bytes and version of each resource, made once per object and shared by every proxy that gets it: the version is a hash of the bytes.
 * A resource that does not encode (an EnvoyFilter can do that) is reported once and stays unsent; proxies keep what they have.
 */
import { hash } from "node:crypto";
import type { Problem } from "@argyle/core";
import type { VersionedResource, XdsRegistry } from "@argyle/xds";

export interface EncodedResources {
  encode(typeUrl: string, name: string, resource: object): VersionedResource | "unavailable";
}

export function createEncodedResources(
  registry: XdsRegistry,
  onProblem: (typeUrl: string, name: string, problems: readonly Problem[]) => void,
): EncodedResources {
  const known = new WeakMap<object, VersionedResource | "unavailable">();
  return {
    encode(typeUrl, name, resource) {
      const before = known.get(resource);
      if (before !== undefined) return before;
      const bytes = registry.encode(typeUrl, resource);
      if (!bytes.ok) onProblem(typeUrl, name, bytes.error);
      const encoded = bytes.ok ? { version: contentHash(bytes.value), value: bytes.value } : "unavailable";
      known.set(resource, encoded);
      return encoded;
    },
  };
}

/** 64 bits are plenty: a version is compared only with versions of the same name. */
export function contentHash(content: Uint8Array | string): string {
  return hash("sha256", content, "hex").slice(0, 16);
}
