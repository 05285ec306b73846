/**
 * One HTTP route of a VirtualService: what it matches and which of route, redirect, directResponse and delegate it does.
 * Source: Istio reference, networking/virtual-service, HTTPRoute; the rules of delegates are those of Delegate.
 */
import { isTree, listAt, numberAt, type Tree, textAt, treeAt } from "../tree.ts";
import { checkDestination, checkWeights } from "./destination.ts";
import type { Findings } from "./findings.ts";
import { checkCors, checkFault, checkRetries } from "./http-policies.ts";
import { checkGatewayNames } from "./names.ts";
import {
  checkDuration,
  checkHeaderName,
  checkHeaderValue,
  checkLabels,
  checkPercentage,
  checkPortNumber,
  checkRegex,
  checkStringMatch,
} from "./values.ts";

export interface RouteContext {
  /** A VirtualService without hosts is a delegate. */
  readonly role: "root" | "delegate";
  /** JWT claims are known at gateways only. */
  readonly mayUseClaims: boolean;
}

export function checkHttpRoute(route: Tree, path: string, context: RouteContext, to: Findings): void {
  const isDelegating = isTree(route.delegate);
  if (isDelegating && context.role === "delegate") {
    to.error(`${path}.delegate`, "delegate HTTP route cannot contain delegate");
  }
  const noRegex = isDelegating || context.role === "delegate";
  for (const [index, match] of listAt(route, "match").entries()) {
    checkMatch(match, `${path}.match[${index}]`, context, noRegex, to);
  }
  if (isDelegating) checkDelegating(route, path, to);
  else checkAction(route, path, to);
  checkHeaders(route.headers, `${path}.headers`, to);
  checkAuthorityOnce(route.rewrite, route.headers, path, to);
  if (isTree(route.corsPolicy)) checkCors(route.corsPolicy, `${path}.corsPolicy`, to);
  if (isTree(route.fault)) checkFault(route.fault, `${path}.fault`, to);
  if (isTree(route.retries)) checkRetries(route.retries, `${path}.retries`, to);
  if (isTree(route.rewrite)) checkRewrite(route.rewrite, `${path}.rewrite`, to);
  checkDuration(route.timeout, `${path}.timeout`, to);
  checkMirrors(route, path, to);
  for (const [index, entry] of listAt(route, "route").entries()) {
    checkHeaders(treeAt(entry).headers, `${path}.route[${index}].headers`, to);
  }
  checkWeights(route, path, to);
}

function checkDelegating(route: Tree, path: string, to: Findings): void {
  for (const [field, name] of [
    ["route", "route"],
    ["redirect", "redirect"],
    ["directResponse", "direct_response"],
  ] as const) {
    const value = route[field];
    if (isTree(value) || listAt(route, field).length > 0) {
      to.error(`${path}.${field}`, `root HTTP route must not specify ${name} together with delegate`);
    }
  }
}

function checkAction(route: Tree, path: string, to: Findings): void {
  const { redirect, directResponse } = route;
  const hasRoute = listAt(route, "route").length > 0;
  if (isTree(redirect)) {
    if (hasRoute) to.error(path, "HTTP route cannot contain both route and redirect");
    if (isTree(route.fault)) to.error(path, "HTTP route cannot contain both fault and redirect");
    if (isTree(route.rewrite)) to.error(path, "HTTP route rule cannot contain both rewrite and redirect");
    if (isTree(directResponse)) to.error(path, "HTTP route rule cannot contain both redirect and direct_response");
    checkRedirect(redirect, `${path}.redirect`, to);
  } else if (isTree(directResponse)) {
    if (hasRoute) to.error(path, "HTTP route cannot contain both route and direct_response");
    if (isTree(route.fault)) to.error(path, "HTTP route cannot contain both fault and direct_response");
    if (isTree(route.rewrite)) to.error(path, "HTTP route rule cannot contain both rewrite and direct_response");
    checkDirectResponse(directResponse, `${path}.directResponse`, to);
  } else if (!hasRoute) to.error(path, "HTTP route, redirect or direct_response is required");
}

const CLAIM = /^@request\.auth\.claims(?:\.|\[)/;

function checkMatch(match: unknown, path: string, context: RouteContext, noRegex: boolean, to: Findings): void {
  if (!isTree(match)) {
    to.error(path, "HTTP match may not be null");
    return;
  }
  const check = (value: unknown, at: string) => {
    checkStringMatch(value, at, to);
    if (noRegex && textAt(value, "regex") !== undefined) to.error(at, "regex match is not supported with delegates");
  };
  for (const field of ["uri", "scheme", "method", "authority"]) {
    if (isTree(match[field])) check(match[field], `${path}.${field}`);
  }
  for (const field of ["headers", "withoutHeaders", "queryParams"]) {
    for (const [name, value] of Object.entries(treeAt(match[field]))) {
      const at = `${path}.${field}.${name}`;
      if (value === null || value === undefined) to.error(at, `header match ${name} cannot be null`);
      else check(value, at);
      if (field === "queryParams") continue;
      if (!name.startsWith("@request.auth.")) checkHeaderName(name, at, to);
      else if (!CLAIM.test(name)) to.error(at, `invalid JWT claim match: ${name}`);
      else if (!context.mayUseClaims) {
        to.error(at, `JWT claim based routing (key: ${name}) is only supported for gateway`);
      }
    }
  }
  const port = numberAt(match, "port");
  if (port !== undefined && port !== 0) checkPortNumber(port, `${path}.port`, to);
  checkLabels(match.sourceLabels, `${path}.sourceLabels`, to);
  checkGatewayNames(listAt(match, "gateways"), `${path}.gateways`, to);
}

/** set, add and remove of request and response headers. Of the pseudo headers only the authority may be written. */
function checkHeaders(headers: unknown, path: string, to: Findings): void {
  for (const side of ["request", "response"]) {
    const operations = treeAt(treeAt(headers)[side]);
    for (const verb of ["set", "add"]) {
      for (const [name, value] of Object.entries(treeAt(operations[verb]))) {
        const at = `${path}.${side}.${verb}.${name}`;
        if (side !== "request" || !isAuthority(name)) checkOperatedName(name, at, to);
        checkHeaderValue(String(value ?? ""), at, to);
      }
    }
    for (const [index, name] of listAt(operations, "remove").entries()) {
      checkOperatedName(String(name), `${path}.${side}.remove[${index}]`, to);
    }
  }
}

function checkOperatedName(name: string, path: string, to: Findings): void {
  if (name.toLowerCase() === "host") to.error(path, `invalid header "${name}": cannot set Host header`);
  else if (name.startsWith(":")) to.error(path, `invalid header "${name}": header cannot have ":" prefix`);
  else checkHeaderName(name, path, to);
}

function isAuthority(name: string): boolean {
  return name === ":authority" || name.toLowerCase() === "host";
}

/** The authority is rewritten in one place only. */
function checkAuthorityOnce(rewrite: unknown, headers: unknown, path: string, to: Findings): void {
  let current = textAt(rewrite, "authority") ?? "";
  const request = treeAt(treeAt(headers).request);
  for (const verb of ["set", "add"]) {
    for (const [name, value] of Object.entries(treeAt(request[verb]))) {
      if (!isAuthority(name)) continue;
      if (current !== "") {
        to.error(
          path,
          `authority header cannot be set multiple times: have "${current}", attempting to set "${String(value)}"`,
        );
      }
      current = String(value);
    }
  }
}

function checkRedirect(redirect: Tree, path: string, to: Findings): void {
  const code = numberAt(redirect, "redirectCode") ?? 0;
  const hasPort = numberAt(redirect, "port") !== undefined || textAt(redirect, "derivePort") !== undefined;
  const isEmpty = ["uri", "prefixRewrite", "authority", "scheme"].every(
    (field) => (textAt(redirect, field) ?? "") === "",
  );
  if (isEmpty && !hasPort) to.error(path, "redirect must specify URI, authority, scheme, or port");
  if (code !== 0 && (code < 300 || code > 399))
    to.error(`${path}.redirectCode`, `${code} is not a valid redirect code, must be 3xx`);
  const scheme = textAt(redirect, "scheme") ?? "";
  if (!["", "http", "https"].includes(scheme))
    to.error(`${path}.scheme`, 'redirect scheme must be either "http" or "https"');
  const port = numberAt(redirect, "port");
  if (port !== undefined) checkPortNumber(port, `${path}.port`, to);
}

const MAX_BODY = 1024 * 1024;
const LARGE_BODY = 100 * 1024;

function checkDirectResponse(response: Tree, path: string, to: Findings): void {
  const status = numberAt(response, "status") ?? 0;
  if (status < 200 || status > 599) to.error(`${path}.status`, `HTTP status ${status} is not in range 200-599`);
  const body = treeAt(response.body);
  const size = (textAt(body, "string") ?? textAt(body, "bytes") ?? "").length;
  if (size > MAX_BODY) to.error(`${path}.body`, "response is too large, must be less than 1 MB");
  else if (size > LARGE_BODY)
    to.warn("large direct_responses may impact control plane performance, must be less than 1 MB");
}

function checkRewrite(rewrite: Tree, path: string, to: Findings): void {
  const uri = textAt(rewrite, "uri") ?? "";
  const { uriRegexRewrite } = rewrite;
  if (uri === "" && (textAt(rewrite, "authority") ?? "") === "" && !isTree(uriRegexRewrite)) {
    to.error(
      path,
      "rewrite must specify at least one of URI, authority, or UriRegexRewrite. Only one of URI or UriRegexRewrite may be specified",
    );
  }
  if (!isTree(uriRegexRewrite)) return;
  if (uri !== "") to.error(path, "rewrite may only contain one of URI or UriRegexRewrite");
  const match = textAt(uriRegexRewrite, "match") ?? "";
  if (match === "" || (textAt(uriRegexRewrite, "rewrite") ?? "") === "") {
    to.error(`${path}.uriRegexRewrite`, "UriRegexRewrite requires both Rewrite and Match fields to be specified");
  }
  checkRegex(match, `${path}.uriRegexRewrite.match`, to);
}

function checkMirrors(route: Tree, path: string, to: Findings): void {
  const mirrors = listAt(route, "mirrors");
  if (isTree(route.mirror)) {
    checkDestination(route.mirror, `${path}.mirror`, to);
    if (mirrors.length > 0) to.error(path, "HTTP route rule cannot contain both mirror and mirrors");
  }
  for (const field of ["mirrorPercent", "mirror_percent", "mirrorPercentage"]) {
    if (route[field] !== undefined) checkPercentage(route[field], `${path}.${field}`, to);
  }
  for (const [index, mirror] of mirrors.entries()) {
    const { destination, percentage } = treeAt(mirror);
    checkDestination(destination, `${path}.mirrors[${index}].destination`, to);
    checkPercentage(percentage, `${path}.mirrors[${index}].percentage`, to);
  }
}
