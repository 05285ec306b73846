/**
 * A URL path to what it names: a collection, an object, or a subresource of an object. Pure.
 * Source: Kubernetes API concepts, "Resource URIs".
 */
import { RESOURCES, type Resource } from "@argyle/kube-types";

export interface Target {
  readonly resource: Resource;
  /** The version of the URL, one of `resource.versions`. */
  readonly version: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
  /** What follows the subresource, for proxy paths: `/metrics`. */
  readonly rest: string;
}

const byGroupAndPlural = new Map(RESOURCES.map((r) => [`${r.group}/${r.plural}`, r]));

export function parseTarget(path: string): Target | undefined {
  const parts = path.split("/").filter((part) => part !== "");
  let group: string;
  let version: string | undefined;
  let rest: string[];
  if (parts[0] === "api") {
    group = "";
    version = parts[1];
    rest = parts.slice(2);
  } else if (parts[0] === "apis" && parts[1] !== undefined) {
    group = parts[1];
    version = parts[2];
    rest = parts.slice(3);
  } else return undefined;
  if (version === undefined || rest.length === 0) return undefined;

  let namespace: string | undefined;
  // `/namespaces/x` is the object; `/namespaces/x/pods` a collection in it; status and finalize are subresources of the object.
  if (rest[0] === "namespaces" && rest.length > 2 && rest[2] !== "status" && rest[2] !== "finalize") {
    namespace = rest[1];
    rest = rest.slice(2);
  }
  const [plural, name, subresource, ...tail] = rest.map(decode);
  const resource = byGroupAndPlural.get(`${group}/${plural}`);
  if (resource === undefined || !resource.versions.includes(version)) return undefined;
  if (namespace !== undefined && !resource.namespaced) return undefined;
  if (name !== undefined && resource.namespaced && namespace === undefined) return undefined;
  if (subresource !== undefined && !(resource.subresources ?? []).includes(subresource) && subresource !== "binding") {
    return undefined;
  }
  const slash = path.endsWith("/") && tail.length > 0 ? "/" : "";
  return {
    resource,
    version,
    namespace: namespace === undefined ? undefined : decode(namespace),
    name,
    subresource,
    rest: tail.length === 0 ? "" : `/${tail.join("/")}${slash}`,
  };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
