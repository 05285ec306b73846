/**
 * VirtualServices in the form that translation reads: names fully qualified, gateways as `namespace/name`, delegates merged into
 * their root. Spec: istio.io reference, VirtualService, Delegate.
 */
import type { HttpMatchRequest, HttpRoute, VirtualServiceSpec } from "@argyle/kube-types";
import { byAge, type Config } from "./config.ts";
import { resolveHost } from "./host.ts";
import { isExportedTo } from "./service.ts";

/** The word in `gateways` that means every sidecar. */
export const MESH_GATEWAY = "mesh";

export interface VirtualServiceConfig extends Config<VirtualServiceSpec> {
  readonly hosts: readonly string[];
  readonly gateways: readonly string[];
  readonly exportTo: readonly string[];
}

export function resolveVirtualServices(
  configs: readonly Config<VirtualServiceSpec>[],
  domain: string,
): readonly VirtualServiceConfig[] {
  const delegates = new Map(
    configs
      .filter((config) => (config.spec.hosts ?? []).length === 0)
      .map((config) => [`${config.namespace}/${config.name}`, config] as const),
  );
  return configs
    .filter((config) => (config.spec.hosts ?? []).length > 0)
    .sort(byAge)
    .map((config) => resolveOne(mergeDelegates(config, delegates, domain), domain));
}

/** Routes that delegate become the delegate's routes, each under the root's matches; only http routes delegate. */
export function mergeDelegates(
  root: Config<VirtualServiceSpec>,
  delegates: ReadonlyMap<string, Config<VirtualServiceSpec>>,
  domain: string,
): Config<VirtualServiceSpec> {
  if (root.spec.http?.some((route) => route.delegate !== undefined) !== true) return root;
  const http = (root.spec.http ?? []).flatMap((route) => {
    if (route.delegate === undefined) return [route];
    const namespace = route.delegate.namespace ?? root.namespace;
    const delegate = delegates.get(`${namespace}/${route.delegate.name ?? ""}`);
    if (delegate === undefined) return [];
    if (!isExportedTo(delegate.spec.exportTo ?? ["*"], delegate.namespace, root.namespace)) return [];
    return (delegate.spec.http ?? []).flatMap((inner) =>
      mergeRoute(route, qualifyRoute(inner, delegate.namespace, domain)),
    );
  });
  return { ...root, spec: { ...root.spec, http } };
}

/** Only the destination's namespace differs between a root and its delegate: short names belong to the delegate. */
function qualifyRoute(route: HttpRoute, namespace: string, domain: string): HttpRoute {
  return mapHosts(route, (host) => resolveHost(host, namespace, domain));
}

function mergeRoute(root: HttpRoute, inner: HttpRoute): readonly HttpRoute[] {
  const match = mergeMatches(root.match ?? [], inner.match ?? []);
  if (match === undefined) return [];
  const name =
    root.name !== undefined && inner.name !== undefined ? `${root.name}-${inner.name}` : (inner.name ?? root.name);
  const { delegate: _delegate, match: _match, name: _name, ...outer } = root;
  return [
    {
      ...outer,
      ...inner,
      ...(name === undefined ? {} : { name }),
      ...(match.length === 0 ? {} : { match }),
    },
  ];
}

/** The product of both lists; a pair that sets the same condition twice cannot match and is dropped. Undefined: nothing is left. */
function mergeMatches(
  root: readonly HttpMatchRequest[],
  inner: readonly HttpMatchRequest[],
): readonly HttpMatchRequest[] | undefined {
  if (root.length === 0) return inner;
  if (inner.length === 0) return root;
  const merged = root.flatMap((outer) => inner.flatMap((own) => mergeMatch(outer, own)));
  return merged.length === 0 ? undefined : merged;
}

function mergeMatch(root: HttpMatchRequest, inner: HttpMatchRequest): readonly HttpMatchRequest[] {
  const single = ["uri", "scheme", "method", "authority", "port", "sourceNamespace"] as const;
  for (const field of single) {
    if (field === "uri" && root.uri?.prefix !== undefined && inner.uri !== undefined) {
      const own = inner.uri.prefix ?? inner.uri.exact;
      if (own === undefined || !own.startsWith(root.uri.prefix)) return [];
    } else if (root[field] !== undefined && inner[field] !== undefined && root[field] !== inner[field]) return [];
  }
  const headers = { ...root.headers, ...inner.headers };
  const withoutHeaders = { ...root.withoutHeaders, ...inner.withoutHeaders };
  const queryParams = { ...root.queryParams, ...inner.queryParams };
  const sourceLabels = { ...root.sourceLabels, ...inner.sourceLabels };
  const name =
    root.name !== undefined && inner.name !== undefined ? `${root.name}-${inner.name}` : (inner.name ?? root.name);
  return [
    {
      ...root,
      ...inner,
      ...(name === undefined ? {} : { name }),
      ...(Object.keys(headers).length === 0 ? {} : { headers }),
      ...(Object.keys(withoutHeaders).length === 0 ? {} : { withoutHeaders }),
      ...(Object.keys(queryParams).length === 0 ? {} : { queryParams }),
      ...(Object.keys(sourceLabels).length === 0 ? {} : { sourceLabels }),
    },
  ];
}

function resolveOne(config: Config<VirtualServiceSpec>, domain: string): VirtualServiceConfig {
  const { spec, namespace } = config;
  const qualify = (host: string) => resolveHost(host, namespace, domain);
  const gateways = (names: readonly string[]) =>
    names.map((name) => (name === MESH_GATEWAY || name.includes("/") ? name : `${namespace}/${name}`));
  const destinations = <T extends { readonly destination: { readonly host: string } }>(
    list: readonly T[] | undefined,
  ) =>
    list?.map((entry) => ({ ...entry, destination: { ...entry.destination, host: qualify(entry.destination.host) } }));
  const matches = <T extends { readonly gateways?: readonly string[] }>(list: readonly T[]) =>
    list.map((match) => (match.gateways === undefined ? match : { ...match, gateways: gateways(match.gateways) }));
  const http = spec.http?.map((route) => {
    const mapped = mapHosts(route, qualify);
    return mapped.match === undefined ? mapped : { ...mapped, match: matches(mapped.match) };
  });
  const tcp = spec.tcp?.map((route) => ({
    ...route,
    ...(route.match === undefined ? {} : { match: matches(route.match) }),
    route: destinations(route.route) ?? [],
  }));
  const tls = spec.tls?.map((route) => ({
    ...route,
    match: matches(route.match ?? []),
    route: destinations(route.route) ?? [],
  }));
  return {
    ...config,
    hosts: (spec.hosts ?? []).map(qualify),
    gateways: gateways(spec.gateways === undefined || spec.gateways.length === 0 ? [MESH_GATEWAY] : spec.gateways),
    exportTo: spec.exportTo ?? ["*"],
    spec: {
      ...spec,
      ...(http === undefined ? {} : { http }),
      ...(tcp === undefined ? {} : { tcp }),
      ...(tls === undefined ? {} : { tls }),
    },
  };
}

function mapHosts(route: HttpRoute, qualify: (host: string) => string): HttpRoute {
  const target = <T extends { readonly host: string }>(destination: T): T => ({
    ...destination,
    host: qualify(destination.host),
  });
  return {
    ...route,
    ...(route.route === undefined
      ? {}
      : { route: route.route.map((entry) => ({ ...entry, destination: target(entry.destination) })) }),
    ...(route.mirror === undefined ? {} : { mirror: target(route.mirror) }),
    ...(route.mirrors === undefined
      ? {}
      : { mirrors: route.mirrors.map((mirror) => ({ ...mirror, destination: target(mirror.destination) })) }),
  };
}
