/**
 * Permissions and principals of Envoy's RBAC, compiled to predicates over one connection and, on HTTP, its request. What is not known here
 * refuses the configuration: a policy that is half understood must not decide.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/api-v3/config/rbac/v3/rbac.proto
 */
import { compileCidr } from "../config/address.ts";
import type { Fields } from "../config/fields.ts";
import { compileHeaderMatcher, headerReader, type RequestView } from "../config/header-matcher.ts";
import { compileStringMatcher, type TextPredicate } from "../config/string-matcher.ts";
import { compileMetadataMatcher } from "./metadata-matcher.ts";
import { compileUriTemplate } from "./uri-template.ts";

/** What policies decide by. */
export interface RbacFacts {
  readonly destinationIp: string;
  readonly destinationPort: number;
  /** Of the connection itself. */
  readonly directRemoteIp: string;
  /** After X-Forwarded-For was believed. */
  readonly remoteIp: string;
  readonly serverName: string;
  /** The peer's certificate was checked; its names, URIs before DNS names before the subject. Undefined: there is none. */
  readonly peer:
    | { readonly uris: readonly string[]; readonly dnsNames: readonly string[]; readonly subject: string }
    | undefined;
  /** Undefined on TCP, where what asks for it never matches. */
  readonly request: RequestView | undefined;
  readonly metadata: (filter: string) => unknown;
}

export type RbacPredicate = (facts: RbacFacts) => boolean;

export function compilePermission(fields: Fields): RbacPredicate {
  const rules = fields.object("and_rules")?.list("rules");
  if (rules !== undefined) return all(rules.map(compilePermission));
  const anyRules = fields.object("or_rules")?.list("rules");
  if (anyRules !== undefined) return some(anyRules.map(compilePermission));
  const not = fields.object("not_rule");
  if (not !== undefined) return inverted(compilePermission(not));
  if (fields.has("destination_port")) {
    const port = fields.number("destination_port", 0);
    return (facts) => facts.destinationPort === port;
  }
  const ports = fields.object("destination_port_range");
  if (ports !== undefined) {
    const [start, end] = [ports.number("start", 0), ports.number("end", 0)];
    return ({ destinationPort }) => destinationPort >= start && destinationPort < end;
  }
  const range = fields.object("destination_ip");
  if (range !== undefined) return inRange(range, (facts) => facts.destinationIp);
  const name = fields.object("requested_server_name");
  if (name !== undefined) {
    const test = compileStringMatcher(name);
    return (facts) => test(facts.serverName);
  }
  const template = fields.object("uri_template")?.object("typed_config");
  if (template !== undefined) return onPath(compileUriTemplate(template));
  return compileShared(fields);
}

export function compilePrincipal(fields: Fields): RbacPredicate {
  const ids = fields.object("and_ids")?.list("ids");
  if (ids !== undefined) return all(ids.map(compilePrincipal));
  const anyIds = fields.object("or_ids")?.list("ids");
  if (anyIds !== undefined) return some(anyIds.map(compilePrincipal));
  const not = fields.object("not_id");
  if (not !== undefined) return inverted(compilePrincipal(not));
  const authenticated = fields.object("authenticated");
  if (authenticated !== undefined) return compileAuthenticated(authenticated);
  for (const name of ["direct_remote_ip", "source_ip"] as const) {
    const range = fields.object(name);
    if (range !== undefined) return inRange(range, (facts) => facts.directRemoteIp);
  }
  const remote = fields.object("remote_ip");
  if (remote !== undefined) return inRange(remote, (facts) => facts.remoteIp);
  return compileShared(fields);
}

/** What both sides may say. */
function compileShared(fields: Fields): RbacPredicate {
  if (fields.has("any")) return () => true;
  const header = fields.object("header");
  if (header !== undefined) return compileHeader(header);
  const path = fields.object("url_path")?.object("path");
  if (path !== undefined) return onPath(compileStringMatcher(path));
  const metadata = fields.object("metadata");
  if (metadata !== undefined) {
    const test = compileMetadataMatcher(metadata);
    return (facts) => test(facts.metadata);
  }
  fields.problem("", `unsupported rule: ${Object.keys(fields.raw).join(", ") || "none"}`);
  return () => false;
}

/** Without a name every peer with a certificate; a name is looked for among URIs, else among DNS names, else in the subject. */
function compileAuthenticated(fields: Fields): RbacPredicate {
  const name = fields.object("principal_name");
  if (name === undefined) return (facts) => facts.peer !== undefined;
  const test = compileStringMatcher(name);
  return ({ peer }) => {
    if (peer === undefined) return false;
    if (peer.uris.length > 0) return peer.uris.some(test);
    return peer.dnsNames.length > 0 ? peer.dnsNames.some(test) : test(peer.subject);
  };
}

/** A header that came several times is matched value by value: joined ones could hide each other (CVE-2026-26308). */
function compileHeader(fields: Fields): RbacPredicate {
  const value = fields.object("string_match");
  if (value === undefined) {
    const test = compileHeaderMatcher(fields);
    return ({ request }) => request !== undefined && test(request);
  }
  const name = fields.required("name").toLowerCase();
  const test = compileStringMatcher(value);
  const isInverted = fields.boolean("invert_match");
  const emptyWhenMissing = fields.boolean("treat_missing_header_as_empty");
  const single = name.startsWith(":") || name === "host" ? headerReader(name) : undefined;
  return ({ request }) => {
    if (request === undefined) return false;
    const [only] = single === undefined ? [] : [single(request) ?? ""];
    const values = only === undefined ? request.headers.getAll(name) : [only];
    if (values.length === 0) return emptyWhenMissing ? test("") !== isInverted : isInverted;
    return values.some(test) !== isInverted;
  };
}

/** The path alone: neither query nor fragment (CVE-2020-8595, CVE-2021-39156). */
function onPath(test: TextPredicate): RbacPredicate {
  return ({ request }) => {
    if (request === undefined) return false;
    const end = request.path.search(/[?#]/);
    return test(end === -1 ? request.path : request.path.slice(0, end));
  };
}

function inRange(fields: Fields, ipOf: (facts: RbacFacts) => string): RbacPredicate {
  const range = compileCidr(fields);
  return (facts) => range.contains(ipOf(facts));
}

function all(list: readonly RbacPredicate[]): RbacPredicate {
  return (facts) => list.every((test) => test(facts));
}

function some(list: readonly RbacPredicate[]): RbacPredicate {
  return (facts) => list.some((test) => test(facts));
}

function inverted(test: RbacPredicate): RbacPredicate {
  return (facts) => !test(facts);
}
