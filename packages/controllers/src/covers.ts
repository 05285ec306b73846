/** True when every field of `wanted` is held with an equal value: writing it would change nothing. Fields that others wrote do not count. */
import { isDeepStrictEqual } from "node:util";

export function covers<T extends object>(held: Partial<T> | undefined, wanted: T): boolean {
  if (held === undefined) return false;
  return Object.entries(wanted).every(([key, value]) => isDeepStrictEqual(held[key as keyof T] as unknown, value));
}
