/** Ports, protocols, durations, percentages, labels and regular expressions in Istio's kinds. */
import { parseGoDuration } from "@argyle/core";
import { RE2JS } from "re2js";
import { isTree, numberAt, type Tree, textAt, treeAt } from "../tree.ts";
import { labelValue, qualifiedName } from "../validate/names.ts";
import type { Findings } from "./findings.ts";

const HTTP = ["HTTP", "HTTP2", "GRPC", "GRPC-WEB", "HTTP_PROXY", "HTTP-PROXY"];
const TLS = ["HTTPS", "TLS", "HBONE"];
const PLAIN = ["TCP", "UDP", "MONGO", "REDIS", "MYSQL"];

/** Istio reads protocols in any case. An empty one is unset. */
export function isHttpProtocol(protocol: string): boolean {
  return HTTP.includes(protocol.toUpperCase());
}

export function isTlsProtocol(protocol: string): boolean {
  return TLS.includes(protocol.toUpperCase());
}

export function isKnownProtocol(protocol: string): boolean {
  const name = protocol.toUpperCase();
  return HTTP.includes(name) || TLS.includes(name) || PLAIN.includes(name);
}

export function checkPortNumber(value: unknown, path: string, to: Findings): void {
  const isPort = typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 65_535;
  if (!isPort) to.error(path, `port number ${String(value ?? 0)} must be in the range 1..65535`);
}

/** A port's protocol may be empty unless `isRequired`. */
export function checkProtocol(protocol: string, path: string, to: Findings, isRequired = false): void {
  if ((protocol === "" && !isRequired) || isKnownProtocol(protocol)) return;
  to.error(path, `unsupported protocol: ${protocol}`);
}

export function checkPortName(name: string, path: string, to: Findings): void {
  if (!/^[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?$/.test(name) || name.length > 63) {
    to.error(path, `invalid port name: ${name}`);
  }
}

export function checkDuration(value: unknown, path: string, to: Findings, allowZero = false): void {
  if (value === undefined || value === null) return;
  const ms = typeof value === "string" ? parseGoDuration(value) : undefined;
  if (ms === undefined) to.error(path, `invalid duration: ${JSON.stringify(value)}`);
  else if (ms === 0 && allowZero) return;
  else if (ms < 1) to.error(path, "duration must be greater than 1ms");
  else if (!Number.isInteger(Math.round(ms * 1e6) / 1e6))
    to.error(path, "only durations to ms precision are supported");
}

/** The smallest share of requests that Envoy can express. */
const MIN_PERCENT = 0.0001;

/** An integer percentage, or `{value}`. */
export function checkPercentage(value: unknown, path: string, to: Findings): void {
  const percent = isTree(value) ? (numberAt(value, "value") ?? 0) : typeof value === "number" ? value : 0;
  if (percent < 0 || percent > 100 || (percent > 0 && percent < MIN_PERCENT)) {
    to.error(path, `percentage ${percent} is not in range 0..100, or smaller than ${MIN_PERCENT}`);
  }
}

export function checkNonNegative(tree: Tree, fields: readonly string[], path: string, to: Findings): void {
  for (const field of fields) {
    const value = numberAt(tree, field);
    if (value !== undefined && value < 0) to.error(`${path}.${field}`, "must be non-negative");
  }
}

const MAX_REGEX = 1024;

export function checkRegex(pattern: string, path: string, to: Findings): void {
  if (pattern.length > MAX_REGEX) {
    to.error(path, `"${path}": regex is too large, max length allowed is ${MAX_REGEX}`);
    return;
  }
  try {
    RE2JS.compile(pattern);
  } catch (thrown) {
    to.error(path, `"${path}": invalid regex: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  }
}

/** exact, prefix or regex: one at most, and prefix and regex not empty. */
export function checkStringMatch(match: unknown, path: string, to: Findings): void {
  const tree = treeAt(match);
  const given = ["exact", "prefix", "regex"].filter((kind) => textAt(tree, kind) !== undefined);
  if (given.length > 1) to.error(path, "exactly one of exact, prefix, regex must be set");
  const regex = textAt(tree, "regex");
  if (textAt(tree, "prefix") === "") to.error(path, `"${path}": prefix string match should not be empty`);
  if (regex === "") to.error(path, `"${path}": regex string match should not be empty`);
  else if (regex !== undefined) checkRegex(regex, path, to);
}

export function checkLabels(labels: unknown, path: string, to: Findings): void {
  for (const [key, value] of Object.entries(treeAt(labels))) {
    const [fault] = qualifiedName(key);
    if (fault !== undefined) to.error(path, `invalid tag key: "${key}": ${fault}`);
    const [valueFault] = labelValue(String(value ?? ""));
    if (valueFault !== undefined) to.error(path, `invalid tag value: "${String(value)}": ${valueFault}`);
  }
}

const HEADER_NAME = /^:?[A-Za-z0-9!#$&'*+.^_|~-]+$/;

export function checkHeaderName(name: string, path: string, to: Findings): void {
  if (name === "") to.error(path, "header name cannot be empty");
  else if (!HEADER_NAME.test(name)) to.error(path, `header name ${name} is not a valid header name`);
}

/** A header value of Envoy: no control characters, and every `%` doubled or around a command (`%HOSTNAME%`, `%REQ(x)%`). */
export function checkHeaderValue(value: string, path: string, to: Findings): void {
  if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(value))
    to.error(path, `header value configuration ${value} is invalid`);
  const rest = value.replace(/%%|%[A-Z_]+(?:\([^)]*\))?(?::\d+)?%/g, "");
  if (rest.includes("%")) {
    to.error(
      path,
      "header value configuration: single % not allowed. Escape by doubling to %% or encase Envoy variable name in pair of %",
    );
  }
}
