/** A Secret's stringData is write-only: it ends in data, in base64. Source: Kubernetes API reference, core/v1 Secret. */
import { isTree, type Tree, withDefaults } from "../tree.ts";

export function secretDefaults(secret: Tree): Tree {
  const { stringData, ...rest } = withDefaults(secret, { type: "Opaque" });
  if (stringData === undefined) return withDefaults(secret, { type: "Opaque" });
  if (!isTree(stringData)) return rest;
  const data: Record<string, unknown> = isTree(rest.data) ? { ...rest.data } : {};
  for (const [key, value] of Object.entries(stringData)) data[key] = encodeBase64(String(value));
  return { ...rest, data };
}

function encodeBase64(text: string): string {
  return btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(""));
}
