/**
 * Warnings about HTTP matches that can never be reached, because an earlier one takes all of their requests: a rule after one without
 * matches, the same match twice, and a longer prefix after a shorter one.
 */
import { isTree, listAt, type Tree, textAt, treeAt } from "../tree.ts";
import type { Findings } from "./findings.ts";

export function warnUnusedRoutes(spec: Tree, to: Findings): void {
  for (const kind of ["http", "tcp"]) warnAfterCatchAll(listAt(spec, kind), to);
  const earlier: { readonly match: Tree; readonly rule: string }[] = [];
  for (const [index, route] of listAt(spec, "http").entries()) {
    const rule = textAt(route, "name") ?? `#${index}`;
    for (const [matchIndex, match] of listAt(route, "match").entries()) {
      if (!isTree(match)) continue;
      const blocker = earlier.find((entry) => takes(entry.match, match));
      if (blocker !== undefined) {
        to.warn(
          `virtualService rule ${rule} match #${matchIndex} is not used (duplicate/overlapping match in rule ${blocker.rule})`,
        );
      }
      earlier.push({ match, rule });
    }
  }
}

function warnAfterCatchAll(routes: readonly unknown[], to: Findings): void {
  const catchAll = routes.findIndex((route) => listAt(route, "match").length === 0);
  if (catchAll === -1 || catchAll === routes.length - 1) return;
  const rule = textAt(routes[catchAll], "name") ?? `#${catchAll}`;
  to.warn(`virtualService rule ${rule} not used (only the last rule can have no matches)`);
}

/** Whether the earlier match takes every request that the later one does. Judged only where the answer is certain. */
function takes(earlier: Tree, later: Tree): boolean {
  const { uri: earlierUri, ...earlierRest } = earlier;
  const { uri: laterUri, ...laterRest } = later;
  const conditions = (rest: Tree) => Object.entries(rest).filter(([key]) => key !== "name" && key !== "statPrefix");
  const isNarrower = conditions(earlierRest).every(
    ([key, value]) => JSON.stringify(value) === JSON.stringify(laterRest[key]),
  );
  if (!isNarrower) return false;
  if (earlierUri === undefined) return true;
  if (JSON.stringify(earlierUri) === JSON.stringify(laterUri)) return true;
  const prefix = textAt(treeAt(earlierUri), "prefix");
  const laterPrefix = textAt(treeAt(laterUri), "prefix");
  if (prefix === undefined || laterPrefix === undefined) return false;
  return laterPrefix.startsWith(prefix);
}
