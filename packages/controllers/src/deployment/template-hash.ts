/**
 * The identity of a pod template: equal templates belong to one ReplicaSet. The hash names it and keeps the selectors of a Deployment's
 * ReplicaSets apart; it need not be Kubernetes' own number, only stable and short.
 */
import { isDeepStrictEqual } from "node:util";
import { POD_TEMPLATE_HASH_LABEL, type PodTemplateSpec } from "@argyle/kube-types";
import { safeEncode } from "../names.ts";

/** FNV-1a, 32 bits, over canonical JSON. `collisionCount` gives another hash when two templates met on one. */
export function hashTemplate(template: PodTemplateSpec, collisionCount = 0): string {
  const text = JSON.stringify(canonical(withoutHash(template))) + (collisionCount === 0 ? "" : `#${collisionCount}`);
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return safeEncode(String(hash));
}

export function isSameTemplate(a: PodTemplateSpec | undefined, b: PodTemplateSpec): boolean {
  return a !== undefined && isDeepStrictEqual(canonical(withoutHash(a)), canonical(withoutHash(b)));
}

function withoutHash(template: PodTemplateSpec): PodTemplateSpec {
  const { [POD_TEMPLATE_HASH_LABEL]: _hash, ...labels } = template.metadata?.labels ?? {};
  return { ...template, metadata: { ...template.metadata, labels } };
}

/** Keys sorted, nulls and empty maps dropped: what clients write differently without meaning anything. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== "object" || value === null) return value;
  const sorted: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (member === null || member === undefined) continue;
    const kept = canonical(member);
    if ((key === "labels" || key === "annotations") && Object.keys(kept as object).length === 0) continue;
    sorted[key] = kept;
  }
  return sorted;
}
