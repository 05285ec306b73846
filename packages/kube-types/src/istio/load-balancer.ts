/** Load balancer settings: consistent hashing, warm-up, localities. Source: Istio reference, networking/destination-rule, LoadBalancerSettings. */
import { isAbsent, isTree, listAt, numberAt, type Tree, textAt, treeAt } from "../tree.ts";
import type { Findings } from "./findings.ts";
import { checkDuration, checkNonNegative } from "./values.ts";

const MAX_MAGLEV = 5_000_011;

/** `hasOutlierDetection`: fail-over needs it to know who is unhealthy. */
export function checkLoadBalancer(settings: Tree, hasOutlierDetection: boolean, path: string, to: Findings): void {
  const { consistentHash, localityLbSetting, warmup, warmupDurationSecs } = settings;
  if (!isAbsent(settings.simple) && isTree(consistentHash))
    to.error(path, "only one of simple or consistentHash can be set");
  if (isTree(consistentHash)) checkConsistentHash(consistentHash, `${path}.consistentHash`, to);
  if (isTree(localityLbSetting)) checkLocality(localityLbSetting, hasOutlierDetection, `${path}.localityLbSetting`, to);
  checkDuration(warmupDurationSecs, `${path}.warmupDurationSecs`, to);
  if (!isTree(warmup)) return;
  if (isAbsent(warmup.duration)) to.error(`${path}.warmup.duration`, "Required value: duration is required");
  checkDuration(warmup.duration, `${path}.warmup.duration`, to);
  const percent = numberAt(warmup, "minimumPercent") ?? 0;
  if (percent < 0 || percent > 100)
    to.error(`${path}.warmup.minimumPercent`, "value should be between 0 to 100 (inclusive)");
  const aggression = numberAt(warmup, "aggression");
  if (aggression !== undefined && aggression < 1) {
    to.error(`${path}.warmup.aggression`, `Invalid value: ${aggression}: should be greater than or equal to 1`);
  }
}

function checkConsistentHash(hash: Tree, path: string, to: Findings): void {
  const { httpCookie, maglev, ringHash } = hash;
  const keys = ["httpHeaderName", "httpCookie", "useSourceIp", "httpQueryParameterName"];
  if (keys.filter((key) => !isAbsent(hash[key])).length > 1)
    to.error(path, `only one of ${keys.join(", ")} can be set`);
  if (isTree(httpCookie)) {
    if ((textAt(httpCookie, "name") ?? "") === "") to.error(`${path}.httpCookie.name`, "name required for HttpCookie");
    for (const [index, attribute] of listAt(httpCookie, "attributes").entries()) {
      if ((textAt(attribute, "name") ?? "") === "") {
        to.error(`${path}.httpCookie.attributes[${index}].name`, "name required for HttpCookie attribute");
      }
    }
  }
  checkNonNegative(hash, ["minimumRingSize"], path, to);
  checkNonNegative(treeAt(ringHash), ["minimumRingSize"], `${path}.ringHash`, to);
  if ((numberAt(hash, "minimumRingSize") ?? 0) !== 0) {
    to.warn("consistent hash MinimumRingSize is deprecated, use ConsistentHashLB's RingHash configuration instead");
    if (isTree(ringHash) || isTree(maglev))
      to.error(path, "only one of MinimumRingSize or Maglev/Ringhash can be specified");
  }
  if (isTree(ringHash) && isTree(maglev)) to.error(path, "only one of ringHash or maglev can be set");
  if (!isTree(maglev)) return;
  const tableSize = numberAt(maglev, "tableSize") ?? 0;
  if (tableSize === 0) to.error(`${path}.maglev.tableSize`, "tableSize must be set for maglev");
  else if (tableSize >= MAX_MAGLEV)
    to.error(`${path}.maglev.tableSize`, `tableSize must be less than ${MAX_MAGLEV} for maglev`);
  else if (!isPrime(tableSize)) to.error(`${path}.maglev.tableSize`, "tableSize must be a prime number for maglev");
}

function isPrime(number: number): boolean {
  for (let divisor = 2; divisor * divisor <= number; divisor++) if (number % divisor === 0) return false;
  return true;
}

function checkLocality(setting: Tree, _hasOutlierDetection: boolean, path: string, to: Findings): void {
  const distribute = listAt(setting, "distribute");
  const failover = listAt(setting, "failover");
  if (distribute.length > 0 && failover.length > 0) {
    to.error(path, "can not simultaneously specify 'distribute' and 'failover'");
  }
  if (distribute.length > 0 && listAt(setting, "failoverPriority").length > 0) {
    to.error(path, "can not simultaneously specify 'distribute' and 'failoverPriority'");
  }
  const sources = distribute.map((entry) => textAt(entry, "from") ?? "");
  checkLocalities(sources, `${path}.distribute`, to);
  for (const [index, entry] of distribute.entries()) {
    const at = `${path}.distribute[${index}].to`;
    const targets = Object.entries(treeAt(treeAt(entry).to));
    checkLocalities(
      targets.map(([locality]) => locality),
      at,
      to,
    );
    let total = 0;
    for (const [locality, weight] of targets) {
      const value = typeof weight === "number" ? weight : 0;
      if (value <= 0 || value > 100) to.error(`${at}.${locality}`, "locality weight must be in range [1, 100]");
      total += value;
    }
    if (total !== 100) to.error(at, `total locality weight ${total} != 100`);
  }
  for (const [index, entry] of failover.entries()) {
    const at = `${path}.failover[${index}]`;
    const from = textAt(entry, "from") ?? "";
    const target = textAt(entry, "to") ?? "";
    if (from === target) to.error(at, "locality lb failover settings must specify different regions");
    if (`${from}${target}`.includes("*")) to.error(at, "locality lb failover region should not contain '*' wildcard");
    if (`${from}${target}`.includes("/")) to.error(at, "locality lb failover only specify region");
  }
}

/** `region/zone/subzone`, a wildcard only at the end, no locality inside another. */
function checkLocalities(localities: readonly string[], path: string, to: Findings): void {
  const seen: string[] = [];
  for (const locality of localities) {
    const parts = locality.split("/");
    if (parts.includes("")) to.error(path, `locality ${locality} must not contain empty region/zone/subzone info`);
    else if (locality.includes("*") && (locality.indexOf("*") !== locality.length - 1 || parts.at(-1) !== "*")) {
      to.error(path, `locality ${locality} wildcard '*' number can not exceed 1 and must be in the end`);
    }
    const stem = locality.replace(/\*$/, "");
    if (
      seen.some(
        (other) =>
          other === stem ||
          (other.endsWith("/") && stem.startsWith(other)) ||
          (stem.endsWith("/") && other.startsWith(stem)) ||
          other === "" ||
          stem === "",
      )
    ) {
      to.error(path, `locality ${locality} overlaps with another`);
    }
    seen.push(stem);
  }
}
