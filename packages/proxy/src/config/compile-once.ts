/**
 * A resource is compiled once for all proxies of the process that are given it: the ADS client hands out one object per content, most of it is the
 * same for every sidecar, and what is compiled holds nothing of the proxy. Invariant: compile() is pure, and nobody changes a resource.
 */
import type { Problem } from "@argyle/core";
import { Fields } from "./fields.ts";
import { oncePerObject } from "./once-per-object.ts";

export interface Compiled<T> {
  readonly value: T;
  /** Not empty: the resource is refused, and `value` is not to be used. */
  readonly problems: readonly Problem[];
}

export function compileOnce<T>(compile: (fields: Fields) => T): (resource: object) => Compiled<T> {
  return oncePerObject((resource) => {
    const problems: Problem[] = [];
    return { value: compile(new Fields(resource, "", { problems })), problems };
  });
}
