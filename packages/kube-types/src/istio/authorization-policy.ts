/** AuthorizationPolicy. Source: Istio reference, security/authorization-policy, security/conditions. */
import { isTree, listAt, type Tree, textAt, treeAt } from "../tree.ts";
import type { Findings } from "./findings.ts";
import { cidrFault } from "./names.ts";
import { checkPolicyTarget } from "./selectors.ts";

const DRY_RUN = "istio.io/dry-run";

export function checkAuthorizationPolicy(object: Tree, to: Findings): void {
  const spec = treeAt(object.spec);
  const action = textAt(spec, "action") ?? "ALLOW";
  checkPolicyTarget(spec, to);
  checkDryRun(object, action, to);
  const hasRules = Array.isArray(spec.rules);
  if (action === "DENY" && !hasRules) {
    to.error(
      "spec.rules",
      "DENY action without `rules` is meaningless as it will never be triggered, use ALLOW without rules to deny all",
    );
  }
  if (action === "CUSTOM") {
    if (!hasRules)
      to.error(
        "spec.rules",
        "CUSTOM action without `rules` is meaningless as it will never be triggered, add an empty rule {} if you want it be triggered for every request",
      );
    if ((textAt(spec, "provider", "name") ?? "") === "") to.error("spec.provider", "`provider.name` must not be empty");
  } else if (isTree(spec.provider)) {
    to.error("spec.provider", `\`provider\` must not be with non CUSTOM action, found ${action}`);
  }
  for (const [index, rule] of listAt(spec, "rules").entries()) checkRule(rule, action, `spec.rules[${index}]`, to);
}

function checkDryRun(object: Tree, action: string, to: Findings): void {
  const value = treeAt(object, "metadata", "annotations")[DRY_RUN];
  if (value === undefined) return;
  const path = `metadata.annotations[${DRY_RUN}]`;
  if (!/^(1|0|t|f|T|F|true|false|True|False|TRUE|FALSE)$/.test(String(value))) {
    to.error(path, `failed to parse dry-run annotation: invalid syntax: "${String(value)}"`);
  } else if (action === "CUSTOM") to.error(path, "dry-run is not supported with CUSTOM action");
}

const SOURCE_LISTS = [
  "principals",
  "notPrincipals",
  "requestPrincipals",
  "notRequestPrincipals",
  "namespaces",
  "notNamespaces",
  "ipBlocks",
  "notIpBlocks",
  "remoteIpBlocks",
  "notRemoteIpBlocks",
  "serviceAccounts",
  "notServiceAccounts",
];
/** What is known only after the filters that come behind a CUSTOM action's provider. */
const CUSTOM_LACKS = SOURCE_LISTS.filter((list) => !list.toLowerCase().includes("ipblocks"));

const OPERATION_LISTS = ["hosts", "notHosts", "ports", "notPorts", "methods", "notMethods", "paths", "notPaths"];

function checkRule(rule: unknown, action: string, path: string, to: Findings): void {
  if (!isTree(rule)) {
    to.error(path, "`rule` must not be null");
    return;
  }
  if (Array.isArray(rule.from) && rule.from.length === 0)
    to.error(`${path}.from`, "`from` cannot be empty, should have at least one source");
  if (Array.isArray(rule.to) && rule.to.length === 0)
    to.error(`${path}.to`, "`to` cannot be empty, should have at least one operation");
  for (const [index, entry] of listAt(rule, "from").entries()) {
    checkSource(treeAt(entry).source, `${path}.from[${index}].source`, action, to);
  }
  for (const [index, entry] of listAt(rule, "to").entries()) {
    checkOperation(treeAt(entry).operation, `${path}.to[${index}].operation`, to);
  }
  for (const [index, condition] of listAt(rule, "when").entries()) {
    checkCondition(treeAt(condition), action, `${path}.when[${index}]`, to);
  }
  if (action === "DENY") warnDeniedTcp(rule, to);
}

function checkSource(source: unknown, path: string, action: string, to: Findings): void {
  if (!isTree(source)) {
    to.error(path, "`from.source` cannot be nil");
    return;
  }
  if (SOURCE_LISTS.every((list) => listAt(source, list).length === 0))
    to.error(path, "`from.source` must have at least one field set");
  checkEntries(source, SOURCE_LISTS, path, to);
  for (const list of ["ipBlocks", "notIpBlocks", "remoteIpBlocks", "notRemoteIpBlocks"]) {
    for (const [index, block] of listAt(source, list).entries()) {
      if (block !== "" && cidrFault(String(block)) !== undefined)
        to.error(`${path}.${list}[${index}]`, `bad IP range "${String(block)}" found in ${list}`);
    }
  }
  const has = (...lists: readonly string[]) => lists.some((list) => listAt(source, list).length > 0);
  if (
    has("serviceAccounts", "notServiceAccounts") &&
    has("principals", "notPrincipals", "namespaces", "notNamespaces")
  ) {
    to.error(path, "Cannot set serviceAccounts with namespaces or principals");
  }
  for (const list of ["serviceAccounts", "notServiceAccounts"]) {
    for (const [index, account] of listAt(source, list).entries()) {
      const parts = String(account).split("/");
      if (account === "" || (parts.length <= 2 && parts.every((part) => part !== "") && !String(account).includes("*")))
        continue;
      to.error(
        `${path}.${list}[${index}]`,
        `serviceAccount must be of form <namespace>/<name> or <name>, found "${String(account)}"`,
      );
    }
  }
  if (action !== "CUSTOM") return;
  for (const list of CUSTOM_LACKS) {
    if (has(list)) to.error(`${path}.${list}`, `From.${list} is currently not supported with CUSTOM action`);
  }
}

function checkOperation(operation: unknown, path: string, to: Findings): void {
  if (!isTree(operation)) {
    to.error(path, "`to.operation` cannot be nil");
    return;
  }
  if (OPERATION_LISTS.every((list) => listAt(operation, list).length === 0))
    to.error(path, "`to.operation` must have at least one field set");
  checkEntries(operation, OPERATION_LISTS, path, to);
  for (const list of ["ports", "notPorts"]) {
    for (const [index, port] of listAt(operation, list).entries()) {
      if (port !== "" && !isPort(port))
        to.error(`${path}.${list}[${index}]`, `bad port "${String(port)}" found in ${list}`);
    }
  }
  for (const list of ["paths", "notPaths"]) {
    for (const [index, template] of listAt(operation, list).entries()) {
      const fault = templateFault(String(template));
      if (fault !== undefined)
        to.error(`${path}.${list}[${index}]`, `invalid or unsupported path ${String(template)}: ${fault}`);
    }
  }
}

/** Path templates: `{*}` is one segment, `{**}` the rest; neither mixes with plain wildcards or text in a segment. */
function templateFault(path: string): string | undefined {
  if (!path.includes("{*}") && !path.includes("{**}")) return undefined;
  const segments = path.split("/");
  const rest = segments.indexOf("{**}");
  if (segments.some((segment) => segment !== "{*}" && segment !== "{**}" && /[{}*]/.test(segment))) {
    return "wildcards and other text cannot share a segment with {*} or {**}";
  }
  if (rest !== -1 && segments.slice(rest + 1).some((segment) => segment === "{**}" || segment === "{*}")) {
    return "no template may follow {**}";
  }
  return undefined;
}

function checkEntries(tree: Tree, lists: readonly string[], path: string, to: Findings): void {
  for (const list of lists) {
    const value = tree[list];
    if (Array.isArray(value) && value.length === 0) to.error(`${path}.${list}`, `\`${list}\` cannot be empty`);
    for (const [index, entry] of listAt(tree, list).entries()) {
      if (entry === "")
        to.error(`${path}.${list}[${index}]`, `\`${list}\` has an empty value: empty value, found in index ${index}`);
    }
  }
}

const PLAIN_KEYS = [
  "source.ip",
  "remote.ip",
  "source.namespace",
  "source.serviceAccount",
  "source.user",
  "source.principal",
  "request.auth.principal",
  "request.auth.audiences",
  "request.auth.presenter",
  "destination.ip",
  "destination.port",
  "destination.name",
  "destination.namespace",
  "destination.user",
  "connection.sni",
];

function checkCondition(condition: Tree, action: string, path: string, to: Findings): void {
  const key = textAt(condition, "key") ?? "";
  if (key === "") to.error(`${path}.key`, "`key` cannot be empty");
  const values = [...listAt(condition, "values"), ...listAt(condition, "notValues")].map(String);
  if (values.length === 0) to.error(path, "at least one of `values` or `notValues` should be set for key");
  if (key === "") return;
  const isUnknownToCustom = /^source\.(?:namespace|serviceAccount|principal)$|^request\.auth\./.test(key);
  if (action === "CUSTOM" && isUnknownToCustom)
    to.error(`${path}.key`, `${key} is currently not supported with CUSTOM action`);
  const keyed = /^(request\.headers|request\.auth\.claims|experimental\.envoy\.filters\.)(.*)$/.exec(key);
  if (keyed !== null) {
    const rest = keyed[2] ?? "";
    const isIndexed = /^(\[[^[\]]+\])+$/.test(rest);
    if (!isIndexed && !key.startsWith("experimental."))
      to.error(`${path}.key`, `bad key [${key}]: must be like ${keyed[1]}[name]`);
  } else if (!PLAIN_KEYS.includes(key)) to.error(`${path}.key`, `unknown key: ${key}`);
  for (const value of values) {
    if (/^(source|remote|destination)\.ip$/.test(key) && cidrFault(value) !== undefined)
      to.error(path, `bad IP range "${value}" for ${key}`);
    if (key === "destination.port" && !isPort(value)) to.error(path, `bad port "${value}" for ${key}`);
  }
}

function isPort(value: unknown): boolean {
  const text = String(value);
  return /^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;
}

/** HTTP attributes do not exist on a TCP connection; a DENY rule of only those denies every TCP connection. */
function warnDeniedTcp(rule: Tree, to: Findings): void {
  const sources = listAt(rule, "from").flatMap((entry) => {
    const { source } = treeAt(entry);
    return isTree(source) ? [source] : [];
  });
  const operations = listAt(rule, "to").flatMap((entry) => {
    const { operation } = treeAt(entry);
    return isTree(operation) ? [operation] : [];
  });
  const knowsPeer = sources.some((source) =>
    SOURCE_LISTS.some((list) => !list.toLowerCase().includes("requestprincipals") && Array.isArray(source[list])),
  );
  const knowsPort = operations.some((operation) => Array.isArray(operation.ports) || Array.isArray(operation.notPorts));
  const isHttpOnly = operations.length > 0 ? !knowsPort : sources.length > 0 && !knowsPeer;
  if (isHttpOnly) {
    to.warn(
      "configured AuthorizationPolicy will deny all traffic to TCP ports under its scope due to the use of only HTTP attributes in a DENY rule; it is recommended to explicitly specify the port",
    );
  }
}
