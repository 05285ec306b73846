/** One column of a kind's table, and the columns that most kinds share. */
import { parseRfc3339 } from "@argyle/core";
import type { KubeObject } from "../object.ts";
import { humanDuration } from "./human-duration.ts";

export interface Column {
  readonly name: string;
  readonly type?: "string" | "integer" | "date";
  readonly priority?: number;
  readonly cell: (object: KubeObject, nowMs: number) => string | number | null;
}

export const NONE = "<none>";

export const nameColumn: Column = { name: "Name", cell: (object) => object.metadata.name };
export const ageColumn: Column = {
  name: "Age",
  cell: (object, nowMs) => ageOf(object.metadata.creationTimestamp, nowMs),
};

/** How long ago, as kubectl shows it; `<unknown>` without a time. */
export function ageOf(timestamp: string | null | undefined, nowMs: number): string {
  const at = timestamp === undefined || timestamp === null ? undefined : parseRfc3339(timestamp);
  return at === undefined ? "<unknown>" : humanDuration(nowMs - at);
}

/** A cell of a kind that we know narrowly; the object was stored under that kind, so its shape was checked. */
export function cellOf<T extends KubeObject>(
  name: string,
  cell: (object: T, nowMs: number) => string | number | null,
  more: { readonly type?: "integer"; readonly wide?: boolean } = {},
): Column {
  return {
    name,
    ...(more.type === undefined ? {} : { type: more.type }),
    ...(more.wide === true ? { priority: 1 } : {}),
    cell: (object, nowMs) => cell(object as T, nowMs),
  };
}

/** `a=b,c=d` in the order of the keys. */
export function formatLabels(labels: Readonly<Record<string, string>> | undefined): string {
  const entries = Object.entries(labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? NONE : entries.map(([key, value]) => `${key}=${value}`).join(",");
}

/** The first three, and how many more. */
export function shorten(list: readonly string[], empty: string): string {
  if (list.length === 0) return empty;
  const shown = list.slice(0, 3).join(",");
  return list.length > 3 ? `${shown} + ${list.length - 3} more...` : shown;
}
