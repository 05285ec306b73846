/**
 * A resource is compiled once for all proxies of the process that are given it: the ADS client hands out one object per content, most of it is the
 * same for every sidecar, and what is compiled holds nothing of the proxy. Invariant: compile() is pure, and nobody changes a resource.
 */
import type { Problem } from "@argyle/core";
import { Fields } from "./fields.ts";

export interface Compiled<T> {
  readonly value: T;
  /** Not empty: the resource is refused, and `value` is not to be used. */
  readonly problems: readonly Problem[];
}

export function compileOnce<T>(compile: (fields: Fields) => T): (resource: object) => Compiled<T> {
  const known = new WeakMap<object, Compiled<T>>();
  return (resource) => {
    let compiled = known.get(resource);
    if (compiled === undefined) {
      const problems: Problem[] = [];
      compiled = { value: compile(new Fields(resource, "", { problems })), problems };
      known.set(resource, compiled);
    }
    return compiled;
  };
}
