/** Where a route goes: host, subset and port of a Destination, and the weights of several. */
import { isTree, listAt, numberAt, type Tree, textAt, treeAt } from "../tree.ts";
import type { Findings } from "./findings.ts";
import { isLabel, wildcardDomainFault } from "./names.ts";
import { checkPortNumber } from "./values.ts";

export function checkDestination(destination: unknown, path: string, to: Findings): void {
  if (!isTree(destination)) {
    to.error(path, "destination is required");
    return;
  }
  const host = textAt(destination, "host") ?? "";
  if (host === "*") to.error(`${path}.host`, `invalid destination host ${host}`);
  else {
    const fault = wildcardDomainFault(host);
    if (fault !== undefined) to.error(`${path}.host`, fault);
  }
  checkSubset(textAt(destination, "subset") ?? "", `${path}.subset`, to);
  const { port } = destination;
  if (isTree(port)) checkPortNumber(numberAt(port, "number"), `${path}.port.number`, to);
}

export function checkSubset(subset: string, path: string, to: Findings): void {
  if (subset !== "" && !isLabel(subset)) to.error(path, `subset name is invalid: "${subset}"`);
}

/** Several destinations need a total weight; a single one may leave it out. */
export function checkWeights(route: Tree, path: string, to: Findings): void {
  const routes = listAt(route, "route");
  let total = 0;
  for (const [index, entry] of routes.entries()) {
    const weight = numberAt(entry, "weight") ?? 0;
    if (weight < 0) to.error(`${path}.route[${index}].weight`, `weight ${weight} < 0`);
    total += weight;
    checkDestination(treeAt(entry).destination, `${path}.route[${index}].destination`, to);
  }
  if (routes.length > 1 && total === 0) to.error(`${path}.route`, "total destination weight = 0");
}
