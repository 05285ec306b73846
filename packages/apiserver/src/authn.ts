/**
 * Who sends a request: the client certificate's CN and O, or a service-account token. Everybody who is authenticated may do
 * everything (SECURITY.md): there is no RBAC. A token is good while its times hold, its service account (same uid) is there, and the pod
 * it is bound to is there.
 */
import type { Clock } from "@argyle/core";
import { resourceOf } from "@argyle/kube-types";
import { at, type JsonObject, listOf, textAt, textOf } from "./json.ts";
import { ISSUER, openToken } from "./jwt.ts";
import type { ServiceAccountKey } from "./pki.ts";
import type { Store } from "./storage.ts";

export interface Identity {
  readonly username: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export interface Authenticator {
  fromCertificate(subject: { readonly CN?: unknown; readonly O?: unknown }): Identity | undefined;
  /** `audiences` empty: the API server's own. Undefined for a token that is not good here and now. */
  fromToken(
    token: string,
    audiences: readonly string[],
  ): { readonly identity: Identity; readonly audiences: readonly string[] } | undefined;
}

const SERVICE_ACCOUNTS = resourceOf("ServiceAccount");
const PODS = resourceOf("Pod");

export function createAuthenticator(key: ServiceAccountKey, store: Store, clock: Clock): Authenticator {
  return {
    fromCertificate(subject) {
      const username = Array.isArray(subject.CN) ? textOf(subject.CN[0]) : textOf(subject.CN);
      if (username === undefined || username === "") return undefined;
      const groups = (Array.isArray(subject.O) ? subject.O : [subject.O]).filter((o) => typeof o === "string");
      return { username, groups: [...groups, "system:authenticated"] };
    },
    fromToken(token, wanted) {
      const claims = openToken(key, token);
      if (claims === undefined || claims.iss !== ISSUER) return undefined;
      const nowSeconds = clock.now() / 1000;
      if (typeof claims.exp !== "number" || claims.exp <= nowSeconds) return undefined;
      if (typeof claims.nbf === "number" && claims.nbf > nowSeconds + 5) return undefined;
      const own =
        typeof claims.aud === "string" ? [claims.aud] : listOf(claims.aud).filter((a) => typeof a === "string");
      const audiences = own.filter((a) => (wanted.length === 0 ? a === ISSUER : wanted.includes(a)));
      if (audiences.length === 0) return undefined;
      const identity = boundIdentity(store, claims);
      return identity === undefined ? undefined : { identity, audiences };
    },
  };
}

function boundIdentity(store: Store, claims: JsonObject): Identity | undefined {
  const bound = claims["kubernetes.io"];
  const namespace = textAt(bound, "namespace");
  const name = textAt(bound, "serviceaccount", "name");
  const uid = textAt(bound, "serviceaccount", "uid");
  if (namespace === undefined || name === undefined || uid === undefined) return undefined;
  if (store.get(SERVICE_ACCOUNTS, namespace, name)?.metadata.uid !== uid) return undefined;
  const podName = textAt(bound, "pod", "name");
  const podUid = textAt(bound, "pod", "uid");
  if (podName !== undefined && podUid !== undefined) {
    if (store.get(PODS, namespace, podName)?.metadata.uid !== podUid) return undefined;
  }
  const extra: Record<string, readonly string[]> = {};
  const note = (key: string, value: unknown) => {
    if (typeof value === "string") extra[`authentication.kubernetes.io/${key}`] = [value];
  };
  note("pod-name", podName);
  note("pod-uid", podUid);
  note("node-name", at(bound, "node", "name"));
  if (typeof claims.jti === "string") note("credential-id", `JTI=${claims.jti}`);
  return {
    username: `system:serviceaccount:${namespace}:${name}`,
    uid,
    groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"],
    extra,
  };
}
