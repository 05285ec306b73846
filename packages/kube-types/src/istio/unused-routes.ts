/**
 * Warnings about HTTP matches that can never be reached, because an earlier one takes all of their requests: a rule after one without
 * matches, the same match twice, and a longer prefix after a shorter one.
 */
import { isTree, listAt, type Tree, textAt } from "../tree.ts";
import type { Findings } from "./findings.ts";

export function warnUnusedRoutes(spec: Tree, to: Findings): void {
  for (const kind of ["http", "tls", "tcp"]) warnUnused(listAt(spec, kind), to);
}

interface EarlierMatch {
  readonly match: Tree;
  readonly rule: string;
}

function warnUnused(routes: readonly unknown[], to: Findings): void {
  const earlier: EarlierMatch[] = [];
  let catchAll: string | undefined;
  for (const [index, route] of routes.entries()) {
    const rule = nameOf(route, index);
    const matches = listAt(route, "match").filter(isTree);
    if (catchAll !== undefined) {
      const reason =
        matches.length === 0 ? "only the last rule can have no matches" : "route without matches defined before";
      to.warn(`virtualService rule ${rule} not used (${reason})`);
    }
    if (matches.length === 0) catchAll ??= rule;
    for (const [matchIndex, match] of matches.entries()) {
      const blocker = earlier.find((entry) => takes(entry.match, match));
      if (blocker !== undefined) {
        const name = nameOf(match, matchIndex);
        to.warn(
          `virtualService rule ${rule} match ${name} is not used (duplicate/overlapping match in rule ${blocker.rule})`,
        );
      }
      earlier.push({ match, rule });
    }
  }
}

function nameOf(entry: unknown, index: number): string {
  const name = textAt(entry, "name") ?? "";
  return name === "" ? `#${index}` : `"${name}"`;
}

/** Whether the earlier match takes every request of the later one: the same match, or a shorter prefix under conditions that also hold. */
function takes(earlier: Tree, later: Tree): boolean {
  const { uri: earlierUri, name: _earlierName, ...earlierRest } = earlier;
  const { uri: laterUri, name: _laterName, ...laterRest } = later;
  const isSameUri = canonical(earlierUri) === canonical(laterUri);
  if (isSameUri) return canonical(earlierRest) === canonical(laterRest);
  const prefix = textAt(earlierUri, "prefix");
  const laterPrefix = textAt(laterUri, "prefix");
  if (prefix === undefined || laterPrefix === undefined || !laterPrefix.startsWith(prefix)) return false;
  return Object.entries(earlierRest).every(([key, value]) => canonical(value) === canonical(laterRest[key]));
}

function canonical(value: unknown): string {
  if (!isTree(value)) return JSON.stringify(value) ?? "";
  const members = Object.keys(value)
    .sort()
    .map((key) => `${key}:${canonical(value[key])}`);
  return `{${members.join()}}`;
}
