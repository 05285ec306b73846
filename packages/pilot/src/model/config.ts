/** A configuration object as istiod keeps it: identity, age and a decoded spec. Age decides conflicts: the oldest wins. */
import { parseRfc3339 } from "@argyle/core";
import type { KubeObject } from "@argyle/kube-types";
import { camelCaseFields, isRecord } from "./json.ts";

export interface Config<S> {
  readonly kind: string;
  readonly apiVersion: string;
  readonly name: string;
  readonly namespace: string;
  /** Milliseconds since the epoch; 0 when the object carries none. */
  readonly createdAt: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: S;
}

/** The spec's type is the caller's claim: the API server has checked it against the schema. */
export function decodeConfig<S>(object: KubeObject): Config<S> {
  const { metadata } = object;
  return {
    kind: object.kind,
    apiVersion: object.apiVersion,
    name: metadata.name,
    namespace: metadata.namespace ?? "default",
    createdAt: metadata.creationTimestamp === undefined ? 0 : (parseRfc3339(metadata.creationTimestamp) ?? 0),
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    spec: (isRecord(object.spec) ? camelCaseFields(object.spec) : {}) as S,
  };
}

/** Oldest first; equal ages by name, then namespace, as istiod orders what conflicts. */
export function byAge(a: Config<unknown>, b: Config<unknown>): number {
  if (a.createdAt !== b.createdAt) return a.createdAt - b.createdAt;
  return compareText(a.name, b.name) || compareText(a.namespace, b.namespace);
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** True when every pair of `selector` is in `labels`; an empty selector selects everything. */
export function selects(
  selector: Readonly<Record<string, string>> | undefined,
  labels: Readonly<Record<string, string>>,
): boolean {
  return selector === undefined || Object.entries(selector).every(([key, value]) => labels[key] === value);
}
