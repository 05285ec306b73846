/** EnvoyFilter: whether each patch has all that its place needs. Patch values stay Envoy's. Source: Istio reference, networking/envoy-filter. */
import { isTree, listAt, type Tree, textAt, treeAt } from "../tree.ts";
import type { Findings } from "./findings.ts";
import { checkWorkloadSelector } from "./selectors.ts";
import { checkPortNumber, checkRegex } from "./values.ts";

const HCM = "envoy.filters.network.http_connection_manager";

/** Names that Envoy has given up, and what took their place. */
const DEPRECATED_NAMES: Readonly<Record<string, string>> = {
  "envoy.buffer": "envoy.filters.http.buffer",
  "envoy.cors": "envoy.filters.http.cors",
  "envoy.csrf": "envoy.filters.http.csrf",
  "envoy.ext_authz": "envoy.filters.http.ext_authz",
  "envoy.fault": "envoy.filters.http.fault",
  "envoy.grpc_http1_bridge": "envoy.filters.http.grpc_http1_bridge",
  "envoy.grpc_json_transcoder": "envoy.filters.http.grpc_json_transcoder",
  "envoy.grpc_web": "envoy.filters.http.grpc_web",
  "envoy.gzip": "envoy.filters.http.gzip",
  "envoy.health_check": "envoy.filters.http.health_check",
  "envoy.http_connection_manager": HCM,
  "envoy.ip_tagging": "envoy.filters.http.ip_tagging",
  "envoy.lua": "envoy.filters.http.lua",
  "envoy.rate_limit": "envoy.filters.http.ratelimit",
  "envoy.router": "envoy.filters.http.router",
  "envoy.squash": "envoy.filters.http.squash",
  "envoy.client_ssl_auth": "envoy.filters.network.client_ssl_auth",
  "envoy.echo": "envoy.filters.network.echo",
  "envoy.mongo_proxy": "envoy.filters.network.mongo_proxy",
  "envoy.ratelimit": "envoy.filters.network.ratelimit",
  "envoy.redis_proxy": "envoy.filters.network.redis_proxy",
  "envoy.tcp_proxy": "envoy.filters.network.tcp_proxy",
  "envoy.listener.http_inspector": "envoy.filters.listener.http_inspector",
  "envoy.listener.original_dst": "envoy.filters.listener.original_dst",
  "envoy.listener.original_src": "envoy.filters.listener.original_src",
  "envoy.listener.proxy_protocol": "envoy.filters.listener.proxy_protocol",
  "envoy.listener.tls_inspector": "envoy.filters.listener.tls_inspector",
};

const LISTENER_CLASS = ["LISTENER", "FILTER_CHAIN", "NETWORK_FILTER", "HTTP_FILTER", "LISTENER_FILTER"];
const ROUTE_CLASS = ["ROUTE_CONFIGURATION", "VIRTUAL_HOST", "HTTP_ROUTE"];
const RELATIVE = ["INSERT_BEFORE", "INSERT_AFTER", "INSERT_FIRST"];
const ORDERED = ["NETWORK_FILTER", "HTTP_FILTER", "LISTENER_FILTER", "HTTP_ROUTE"];

export function checkEnvoyFilter(object: Tree, to: Findings): void {
  const spec = treeAt(object.spec);
  const { workloadSelector } = spec;
  if (isTree(workloadSelector)) {
    if (listAt(spec, "targetRefs").length > 0)
      to.error("spec", "only one of targetRefs or workloadSelector can be set");
    if (Object.keys(treeAt(workloadSelector.labels)).length === 0) {
      to.warn("Envoy filter: workload selector specified without labels, will be applied to all services in namespace");
    }
    checkWorkloadSelector(workloadSelector, "labels", "spec.workloadSelector", to);
  }
  for (const [index, patch] of listAt(spec, "configPatches").entries()) {
    const path = `spec.configPatches[${index}]`;
    if (isTree(patch)) checkConfigPatch(patch, path, to);
    else to.error(path, "Envoy filter: null config patch");
  }
}

function checkConfigPatch(entry: Tree, path: string, to: Findings): void {
  const applyTo = textAt(entry, "applyTo") ?? "INVALID";
  const { patch } = entry;
  const match = treeAt(entry.match);
  if (applyTo === "INVALID") to.error(`${path}.applyTo`, "Envoy filter: missing applyTo");
  if (isTree(patch)) checkPatch(patch, applyTo, `${path}.patch`, to);
  else to.error(`${path}.patch`, "Envoy filter: missing patch");
  const version = textAt(match, "proxy", "proxyVersion") ?? "";
  if (version !== "") checkRegex(version, `${path}.match.proxy.proxyVersion`, to);
  checkMatchFits(match, applyTo, `${path}.match`, to);
  const { listener, waypoint } = match;
  if (isTree(listener)) checkListenerMatch(listener, `${path}.match.listener`, to);
  if (isTree(waypoint) && waypoint.portNumber !== undefined)
    checkPortNumber(waypoint.portNumber, `${path}.match.waypoint.portNumber`, to);
}

function checkPatch(patch: Tree, applyTo: string, path: string, to: Findings): void {
  const operation = textAt(patch, "operation") ?? "INVALID";
  if (operation === "INVALID") to.error(`${path}.operation`, "Envoy filter: missing patch operation");
  if (operation !== "REMOVE" && !isTree(patch.value))
    to.error(`${path}.value`, "Envoy filter: missing patch value for non-remove operation");
  if (RELATIVE.includes(operation) && !ORDERED.includes(applyTo)) {
    to.error(
      path,
      `Envoy filter: ${operation} is only allowed for ordered objects (NETWORK_FILTER, HTTP_FILTER, LISTENER_FILTER, HTTP_ROUTE), not ${applyTo}`,
    );
  }
  if (
    operation === "REPLACE" &&
    applyTo !== "NETWORK_FILTER" &&
    applyTo !== "HTTP_FILTER" &&
    applyTo !== "LISTENER_FILTER"
  ) {
    to.warn(`Envoy filter: REPLACE has no effect on ${applyTo}`);
  }
  warnDeprecated(patch.value, to);
}

function checkMatchFits(match: Tree, applyTo: string, path: string, to: Findings): void {
  const given = ["listener", "routeConfiguration", "cluster", "waypoint"].filter((kind) => isTree(match[kind]));
  if (given.length > 1) to.error(path, `Envoy filter: only one of ${given.join(", ")} can be set`);
  if ((textAt(match, "context") ?? "ANY") === "WAYPOINT" && given.length > 0 && !given.includes("waypoint")) {
    to.error(path, 'Invalid value: "object": only support waypointMatch when context is WAYPOINT');
    return;
  }
  const [kind] = given;
  if (kind === undefined || kind === "waypoint") return;
  if (LISTENER_CLASS.includes(applyTo) && kind !== "listener") {
    to.error(path, "Envoy filter: applyTo for listener class objects cannot have non listener match");
  } else if (ROUTE_CLASS.includes(applyTo) && kind !== "routeConfiguration") {
    to.error(path, "Envoy filter: applyTo for http route class objects cannot have non route configuration match");
  } else if (applyTo === "CLUSTER" && kind !== "cluster") {
    to.error(path, "Envoy filter: applyTo for cluster class objects cannot have non cluster match");
  }
}

function checkListenerMatch(listener: Tree, path: string, to: Findings): void {
  const filter = treeAt(listener, "filterChain").filter;
  if (!isTree(filter)) return;
  const name = textAt(filter, "name") ?? "";
  const at = `${path}.filterChain.filter`;
  warnName(name, to);
  if (name === "") to.error(at, "Envoy filter: filter match has no name to match on");
  const { subFilter } = filter;
  if (!isTree(subFilter)) return;
  const subName = textAt(subFilter, "name") ?? "";
  if (name !== HCM && name !== "envoy.http_connection_manager") {
    to.error(at, `Envoy filter: subfilter match requires filter match with ${HCM}`);
  } else if (subName === "") to.error(`${at}.subFilter`, "Envoy filter: subfilter match has no name to match on");
  warnName(subName, to);
}

function warnName(name: string, to: Findings): void {
  const now = DEPRECATED_NAMES[name];
  if (now !== undefined) to.warn(`using deprecated filter name "${name}"; use "${now}" instead`);
}

/** Old names and v2 types anywhere in a value. */
function warnDeprecated(value: unknown, to: Findings): void {
  if (Array.isArray(value)) for (const item of value) warnDeprecated(item, to);
  if (!isTree(value)) return;
  const name = textAt(value, "name");
  if (name !== undefined) warnName(name, to);
  const type = textAt(value, "@type") ?? textAt(value, "type_url") ?? "";
  if (/\.(?:config|api)\.(?:\w+\.)*v[12](?:\.|alpha|$)|envoy\.api\.v2/.test(type))
    to.warn(`using deprecated type_url(s); ${type}`);
  for (const member of Object.values(value)) warnDeprecated(member, to);
}
