/** WasmPlugin and ProxyConfig. Source: Istio reference, proxy_extensions/wasm-plugin, networking/proxy-config. */
import { listAt, numberAt, type Tree, textAt, treeAt } from "../tree.ts";
import type { Findings } from "./findings.ts";
import { checkPolicyTarget, checkWorkloadSelector } from "./selectors.ts";
import { checkPortNumber } from "./values.ts";

const SCHEMES = ["", "http", "https", "oci", "file"];

export function checkWasmPlugin(object: Tree, to: Findings): void {
  const spec = treeAt(object.spec);
  checkPolicyTarget(spec, to);
  const url = textAt(spec, "url") ?? "";
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):\/\//.exec(url)?.[1] ?? "";
  if (url === "") to.error("spec.url", "url field needs to be set. spec.url in body should be at least 1 chars long");
  else if (!SCHEMES.includes(scheme)) {
    to.error(
      "spec.url",
      `url contains unsupported scheme: ${scheme}; url must have schema one of [http, https, file, oci]`,
    );
  }
  const sha256 = textAt(spec, "sha256") ?? "";
  if (sha256 !== "" && sha256.length !== 64)
    to.error(
      "spec.sha256",
      "sha256 field must be 64 characters long: spec.sha256 in body should match '(^$|^[a-f0-9]{64}$)'",
    );
  else if (sha256 !== "" && !/^[a-f0-9]{64}$/.test(sha256))
    to.error("spec.sha256", "sha256 field must match [a-f0-9]{64} pattern");
  if ((textAt(spec, "imagePullSecret") ?? "").length > 253)
    to.error("spec.imagePullSecret", "imagePullSecret must be no more than 253 characters");
  if ((textAt(spec, "pluginName") ?? "").length > 256)
    to.error("spec.pluginName", "pluginName field must be less than 255 characters long");
  const names = new Set<string>();
  for (const [index, entry] of listAt(spec, "vmConfig", "env").entries()) {
    const path = `spec.vmConfig.env[${index}]`;
    const name = textAt(entry, "name") ?? "";
    if (name === "") to.error(`${path}.name`, "spec.vmConfig.env invalid: name must be set");
    if (names.has(name)) to.error(`${path}.name`, `spec.vmConfig.env invalid: duplicate name ${name}`);
    names.add(name);
    if ((textAt(entry, "valueFrom") ?? "INLINE") !== "INLINE" && (textAt(entry, "value") ?? "") !== "") {
      to.error(path, "value may only be set when valueFrom is INLINE");
    }
  }
  for (const [index, match] of listAt(spec, "match").entries()) {
    for (const [i, port] of listAt(match, "ports").entries()) {
      checkPortNumber(numberAt(port, "number"), `spec.match[${index}].ports[${i}].number`, to);
    }
  }
}

export function checkProxyConfig(object: Tree, to: Findings): void {
  const spec = treeAt(object.spec);
  checkWorkloadSelector(spec.selector, "matchLabels", "spec.selector", to);
  const concurrency = numberAt(spec, "concurrency") ?? 0;
  if (concurrency < 0)
    to.error(
      "spec.concurrency",
      "concurrency must be greater than or equal to 0: spec.concurrency in body should be greater than or equal to 0",
    );
}
