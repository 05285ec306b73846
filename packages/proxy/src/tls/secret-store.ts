/** Secrets by name and version, and SecureContexts made from them once per version (making one per connection is what makes TLS slow). */

import { X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContext } from "node:tls";
import type { SecretConfig } from "../config/secret-config.ts";
import type { SecretRef, TlsConfig } from "../config/tls-config.ts";

export interface StoredSecret {
  readonly name: string;
  readonly version: string;
  readonly config: SecretConfig;
  readonly receivedAtMs: number;
}

export interface SecretStore {
  get(name: string): StoredSecret | undefined;
  set(secret: StoredSecret): void;
  /** The server says that there is no such secret. One that is held stays in use, as in Envoy: a removal is not a rotation. */
  markAbsent(name: string): void;
  all(): readonly StoredSecret[];
  /** True when every secret that the configuration names is here. */
  hasAll(tls: TlsConfig): boolean;
  /** True when nothing is awaited any more: each secret is here or known not to exist. */
  isSettled(tls: TlsConfig): boolean;
  /** Undefined while a secret is missing. */
  contextOf(tls: TlsConfig): CachedContext | undefined;
  /** For connections that we open: clusters with the same secrets share one, since whom they accept is judged after the handshake. */
  clientContextOf(tls: TlsConfig): CachedContext | undefined;
}

export interface CachedContext {
  readonly context: SecureContext;
  readonly hasValidation: boolean;
  /** URI SAN of our own certificate. */
  readonly localPrincipal: string | undefined;
}

export function createSecretStore(): SecretStore {
  const secrets = new Map<string, StoredSecret>();
  const absent = new Set<string>();
  const cache = new WeakMap<TlsConfig, { readonly key: string; readonly value: CachedContext }>();
  const ofClients = new Map<string, CachedContext>();
  const resolve = (ref: SecretRef | undefined) =>
    ref === undefined ? undefined : ref.kind === "inline" ? ref.secret : secrets.get(ref.name)?.config;
  const version = (ref: SecretRef | undefined) =>
    ref === undefined ? "-" : ref.kind === "inline" ? "inline" : `${ref.name}@${secrets.get(ref.name)?.version}`;
  const store: SecretStore = {
    get: (name) => secrets.get(name),
    set(secret) {
      secrets.set(secret.name, secret);
      ofClients.clear();
      absent.delete(secret.name);
    },
    markAbsent(name) {
      if (!secrets.has(name)) absent.add(name);
    },
    all: () => [...secrets.values()],
    hasAll: (tls) =>
      (tls.certificate === undefined || resolve(tls.certificate) !== undefined) &&
      (tls.validation === undefined || resolve(tls.validation) !== undefined),
    isSettled: (tls) =>
      [tls.certificate, tls.validation].every(
        (ref) => ref === undefined || resolve(ref) !== undefined || (ref.kind === "sds" && absent.has(ref.name)),
      ),
    contextOf(tls) {
      if (!store.hasAll(tls)) return undefined;
      const key = `${version(tls.certificate)} ${version(tls.validation)}`;
      const known = cache.get(tls);
      if (known?.key === key) return known.value;
      const value = build(tls, resolve(tls.certificate), resolve(tls.validation));
      cache.set(tls, { key, value });
      return value;
    },
    clientContextOf(tls) {
      if (tls.certificate?.kind === "inline" || tls.validation?.kind === "inline") return store.contextOf(tls);
      const key = JSON.stringify([
        tls.certificate?.name,
        tls.validation?.name,
        tls.minVersion,
        tls.maxVersion,
        tls.ciphers,
      ]);
      const known = ofClients.get(key);
      if (known !== undefined) return known;
      const value = store.contextOf(tls);
      if (value !== undefined) ofClients.set(key, value);
      return value;
    },
  };
  return store;
}

function build(
  tls: TlsConfig,
  certificate: SecretConfig | undefined,
  validation: SecretConfig | undefined,
): CachedContext {
  const context = createSecureContext({
    ...(certificate?.kind === "certificate" ? { cert: certificate.chain, key: certificate.privateKey } : {}),
    ...(validation?.kind === "validation" && validation.trustedCa !== "" ? { ca: validation.trustedCa } : {}),
    ...(validation?.kind === "validation" && validation.crl !== undefined ? { crl: validation.crl } : {}),
    ...(tls.minVersion === undefined ? { minVersion: "TLSv1.2" } : { minVersion: tls.minVersion }),
    ...(tls.maxVersion === undefined ? {} : { maxVersion: tls.maxVersion }),
    // Clients that resume a session are refused without one. Ticket keys are the context's own, so no other listener accepts its tickets.
    sessionIdContext: "argyle",
    ...(tls.ciphers === undefined ? {} : { ciphers: opensslNames(tls.ciphers) }),
  });
  const localPrincipal =
    certificate?.kind === "certificate" ? uriSan(new X509Certificate(certificate.chain).subjectAltName) : undefined;
  return { context, hasValidation: validation !== undefined, localPrincipal };
}

/** Envoy writes equal-preference groups as `[A|B]`; OpenSSL has plain lists. */
function opensslNames(ciphers: string): string {
  return ciphers.replace(/[[\]]/g, "").replaceAll("|", ":");
}

/** The first URI of a subjectAltName text of Node; a quoted (escaped) entry never counts, so that no name can forge another. */
export function uriSan(subjectAltName: string | undefined): string | undefined {
  for (const entry of sanEntries(subjectAltName)) if (entry.type === "URI") return entry.value;
  return undefined;
}

/**
 * Node quotes a subjectAltName value that holds commas, quotes or control characters such as NUL (CVE-2021-44532, CVE-2026-47778). A peer with
 * such a name is not let in at all: what one reader takes for its identity another may not.
 */
export function hasUnreadableName(subjectAltName: string | undefined): boolean {
  return subjectAltName?.includes('"') === true;
}

export interface SanEntry {
  readonly type: "URI" | "DNS" | "EMAIL" | "IP_ADDRESS";
  readonly value: string;
}

const SAN_TYPES: Readonly<Record<string, SanEntry["type"]>> = {
  URI: "URI",
  DNS: "DNS",
  email: "EMAIL",
  "IP Address": "IP_ADDRESS",
};

export function sanEntries(subjectAltName: string | undefined): readonly SanEntry[] {
  if (subjectAltName === undefined) return [];
  if (hasUnreadableName(subjectAltName)) return [];
  return subjectAltName.split(", ").flatMap((part) => {
    const colon = part.indexOf(":");
    const type = SAN_TYPES[part.slice(0, colon)];
    return type === undefined ? [] : [{ type, value: part.slice(colon + 1) }];
  });
}
