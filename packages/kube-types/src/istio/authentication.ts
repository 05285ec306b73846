/** PeerAuthentication and RequestAuthentication. Source: Istio reference, security/peer_authentication, security/request_authentication. */
import { isTree, listAt, type Tree, textAt, treeAt } from "../tree.ts";
import type { Findings } from "./findings.ts";
import { checkPolicyTarget, checkWorkloadSelector } from "./selectors.ts";
import { checkDuration, checkPortNumber } from "./values.ts";

export function checkPeerAuthentication(object: Tree, to: Findings): void {
  const spec = treeAt(object.spec);
  const { selector, portLevelMtls } = spec;
  const isSelective = Object.keys(treeAt(selector, "matchLabels")).length > 0;
  checkWorkloadSelector(selector, "matchLabels", "spec.selector", to);
  if (!isTree(portLevelMtls)) return;
  const ports = Object.keys(portLevelMtls);
  if (ports.length === 0) to.error("spec.portLevelMtls", "port level mTLS, if defined, must have at least one port");
  for (const port of ports)
    checkPortNumber(/^\d+$/.test(port) ? Number(port) : undefined, `spec.portLevelMtls.${port}`, to);
  if (!isSelective) {
    to.error(
      "spec.portLevelMtls",
      "mesh/namespace-level policy (no workload selector) can not have port level mTLS: portLevelMtls requires selector",
    );
  }
}

export function checkRequestAuthentication(object: Tree, to: Findings): void {
  const spec = treeAt(object.spec);
  if (treeAt(object, "metadata", "annotations")["istio.io/dry-run"] !== undefined) {
    to.error("metadata.annotations[istio.io/dry-run]", "RequestAuthentication does not support dry-run");
  }
  checkPolicyTarget(spec, to);
  for (const [index, rule] of listAt(spec, "jwtRules").entries()) {
    const path = `spec.jwtRules[${index}]`;
    if (isTree(rule)) checkJwtRule(rule, path, to);
    else to.error(path, `${path} in body must be of type object: "null"`);
  }
}

function checkJwtRule(rule: Tree, path: string, to: Findings): void {
  const jwksUri = textAt(rule, "jwksUri") ?? "";
  const jwks = textAt(rule, "jwks") ?? "";
  if (jwksUri === "" && (textAt(rule, "issuer") ?? "") === "") {
    to.error(`${path}.issuer`, "issuer or jwksUri must be non-empty string");
  }
  if (jwksUri !== "") {
    const fault = uriFault(jwksUri);
    if (fault !== undefined) to.error(`${path}.jwksUri`, fault);
  }
  if (jwks !== "" && !isJwks(jwks)) to.error(`${path}.jwks`, "parse jwks error: not a JSON Web Key Set");
  if (jwks !== "" && jwksUri !== "") to.warn("jwks and jwksUri are both set; jwks is used");
  for (const list of ["audiences", "fromParams", "fromCookies", "spaceDelimitedClaims"]) {
    for (const [index, value] of listAt(rule, list).entries()) {
      if (value === "")
        to.error(`${path}.${list}[${index}]`, `${path}.${list}[${index}] in body should be at least 1 chars long`);
    }
  }
  for (const [index, header] of listAt(rule, "fromHeaders").entries()) {
    if ((textAt(header, "name") ?? "") === "")
      to.error(
        `${path}.fromHeaders[${index}].name`,
        "location header name must be non-empty string: should be at least 1 chars long",
      );
  }
  for (const [index, output] of listAt(rule, "outputClaimToHeaders").entries()) {
    const at = `${path}.outputClaimToHeaders[${index}]`;
    if (!isTree(output)) {
      to.error(at, `${at} in body must be of type object: "null"`);
      continue;
    }
    const header = textAt(output, "header") ?? "";
    if (header === "" || (textAt(output, "claim") ?? "") === "")
      to.error(at, "outputClaimToHeader header and claim value must be non-empty string");
    else if (!/^[-_A-Za-z0-9]+$/.test(header))
      to.error(`${at}.header`, `header ${header} in body should match '^[-_A-Za-z0-9]+$'`);
  }
  checkDuration(rule.timeout, `${path}.timeout`, to);
}

function uriFault(uri: string): string | undefined {
  const match = /^([a-zA-Z][a-zA-Z0-9+.-]*):\/\/([^/?#]*)/.exec(uri);
  const scheme = (match?.[1] ?? "").toLowerCase();
  if (scheme !== "http" && scheme !== "https")
    return `URI scheme "${scheme}" is not supported: url must have scheme http:// or https://`;
  const authority = (match?.[2] ?? "").replace(/^.*@/, "");
  const port = /^(?:\[[^\]]+\]|[^:]*)(?::(.*))?$/.exec(authority)?.[1];
  if (authority === "") return "URI has no host";
  if (port !== undefined && port !== "" && (!/^\d+$/.test(port) || Number(port) > 65_535))
    return `invalid port ":${port}" after host`;
  return undefined;
}

function isJwks(text: string): boolean {
  try {
    const parsed: unknown = JSON.parse(text);
    return isTree(parsed) && Array.isArray(parsed.keys) && parsed.keys.every((key) => textAt(key, "kty") !== undefined);
  } catch {
    return false;
  }
}
