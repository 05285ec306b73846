/**
 * What is asked of a peer's certificate beyond the chain to a trusted root: its names, its hash or its key.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/api-v3/extensions/transport_sockets/tls/v3/common.proto
 */
import { createHash, type X509Certificate } from "node:crypto";
import type { SanMatcher, TlsConfig } from "../config/tls-config.ts";
import { hasUnreadableName, type SanEntry, sanEntries } from "./secret-store.ts";

export type PeerRules = Pick<TlsConfig, "sanMatchers" | "certificateHashes" | "keyHashes">;

/** Why the peer is refused; undefined when it is good. `host`: one of its names must be this one. */
export function peerProblem(rules: PeerRules, certificate: X509Certificate, host?: string): string | undefined {
  const { subjectAltName } = certificate;
  if (hasUnreadableName(subjectAltName)) return "CERTIFICATE_VERIFY_FAILED: unreadable subjectAltName";
  const names = sanEntries(subjectAltName);
  const isNamed = matchesSan(rules.sanMatchers, names) && (host === undefined || hasName(names, host));
  if (!isNamed) return "CERTIFICATE_VERIFY_FAILED: verify SAN list";
  const { certificateHashes, keyHashes } = rules;
  if (certificateHashes.length === 0 && keyHashes.length === 0) return undefined;
  // With both lists one match is enough.
  if (certificateHashes.includes(createHash("sha256").update(certificate.raw).digest("hex"))) return undefined;
  const key = certificate.publicKey.export({ type: "spki", format: "der" });
  if (keyHashes.includes(createHash("sha256").update(key).digest("base64"))) return undefined;
  return "CERTIFICATE_VERIFY_FAILED: verify cert hash";
}

/** Without matchers every certificate of the trusted roots is good, as in Envoy. */
function matchesSan(matchers: readonly SanMatcher[], names: readonly SanEntry[]): boolean {
  if (matchers.length === 0) return true;
  return matchers.some((matcher) =>
    names.some((name) => (matcher.type === "ANY" || matcher.type === name.type) && matcher.test(name.value)),
  );
}

/** RFC 9525 §6.3: a wildcard stands for one label, the leftmost. */
function hasName(names: readonly SanEntry[], host: string): boolean {
  const wanted = host.toLowerCase();
  const rest = wanted.slice(wanted.indexOf("."));
  return names.some(({ type, value }) => {
    if (type === "IP_ADDRESS") return value === host;
    if (type !== "DNS") return false;
    const name = value.toLowerCase();
    return name === wanted || (name.startsWith("*.") && wanted.includes(".") && name.slice(1) === rest);
  });
}
