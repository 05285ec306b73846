/**
 * The http section of a VirtualService, or a service without one, as Envoy routes. Order is the manifest's; the first route that takes
 * everything ends the list. https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route_components.proto
 */
import type { Destination, HttpMatchRequest, HttpRoute } from "@argyle/kube-types";
import { concreteHost } from "../model/alias.ts";
import { selects } from "../model/config.ts";
import { effectivePolicy } from "../model/destination-rule.ts";
import type { EnvoyMessage } from "../model/json.ts";
import type { MeshPort, MeshService } from "../model/service.ts";
import type { VirtualServiceConfig } from "../model/virtual-service.ts";
import { protoDuration } from "./cluster-policy.ts";
import type { TranslateContext } from "./context.ts";
import { clusterName } from "./names.ts";
import { redirectAction } from "./redirect.ts";
import { isCatchAll, routeMatch } from "./route-match.ts";
import { hashPolicies, headerFields, mirrorPolicies, perFilterConfig, retryPolicy } from "./route-policy.ts";

export interface HttpRouteOptions {
  readonly context: TranslateContext;
  /** Port of the listener as the VirtualService knows it: the service's, or the Gateway server's. */
  readonly port: number;
  /** `mesh` for sidecars, or the gateways of the server. */
  readonly gateways: ReadonlySet<string>;
  /** The listener ends TLS: requests are https. */
  readonly isTls?: boolean;
}

export function virtualServiceRoutes(vs: VirtualServiceConfig, options: HttpRouteOptions): readonly EnvoyMessage[] {
  const out: EnvoyMessage[] = [];
  for (const route of vs.spec.http ?? []) {
    if (route.match === undefined || route.match.length === 0) {
      out.push(translateRoute(vs, route, undefined, options));
      return out;
    }
    for (const match of route.match) {
      if (!appliesHere(match, options)) continue;
      out.push(translateRoute(vs, route, match, options));
      if (isCatchAll(match)) return out;
    }
  }
  return out;
}

/** What a service without VirtualService gets. */
export function defaultRoute(context: TranslateContext, service: MeshService, port: MeshPort): EnvoyMessage {
  const cluster = clusterName("outbound", port.port, undefined, service.hostname);
  return {
    name: "default",
    match: { prefix: "/" },
    route: {
      cluster,
      timeout: "0s",
      retry_policy: retryPolicy(undefined),
      max_grpc_timeout: "0s",
      hash_policy: hashPolicies(
        effectivePolicy(context.scope.ruleFor(service), undefined, port.port).loadBalancer?.consistentHash,
      ),
    },
    decorator: { operation: `${service.hostname}:${port.port}/*` },
  };
}

/** The cluster of a destination. Without a port: the service's only one, else the listener's. */
export function destinationCluster(context: TranslateContext, destination: Destination, listenerPort: number): string {
  const host = concreteHost(context.state, destination.host);
  const service = context.scope.servicesByHost.get(host);
  const only = service?.ports.length === 1 ? service.ports[0]?.port : undefined;
  const port = destination.port?.number ?? only ?? listenerPort;
  return clusterName("outbound", port, destination.subset, host);
}

function appliesHere(match: HttpMatchRequest, { context, port, gateways }: HttpRouteOptions): boolean {
  const { node } = context;
  if (match.port !== undefined && match.port !== port) return false;
  if (match.gateways !== undefined && match.gateways.length > 0) {
    if (!match.gateways.some((gateway) => gateways.has(gateway))) return false;
  }
  // Sources are sidecars' own: a gateway's clients have no labels.
  if (node.type === "router") return true;
  if (!selects(match.sourceLabels, node.labels)) return false;
  return match.sourceNamespace === undefined || match.sourceNamespace === node.namespace;
}

function translateRoute(
  vs: VirtualServiceConfig,
  route: HttpRoute,
  match: HttpMatchRequest | undefined,
  options: HttpRouteOptions,
): EnvoyMessage {
  const { port } = options;
  const { authority, fields } = headerFields(route.headers?.request, route.headers?.response);
  const name = match?.name === undefined ? route.name : `${route.name ?? ""}.${match.name}`;
  return {
    name,
    match: routeMatch(match),
    ...actionOf(route, match, options, authority),
    metadata: {
      filter_metadata: {
        istio: { config: `/apis/networking.istio.io/v1/namespaces/${vs.namespace}/virtual-service/${vs.name}` },
      },
    },
    decorator: { operation: operationOf(route, match, port) },
    ...fields,
    typed_per_filter_config: perFilterConfig(route),
  };
}

function actionOf(
  route: HttpRoute,
  match: HttpMatchRequest | undefined,
  { context, port, isTls }: HttpRouteOptions,
  authority: string | undefined,
): EnvoyMessage {
  if (route.redirect !== undefined)
    return { redirect: redirectAction(route.redirect, match, { port, isTls: isTls === true }) };
  if (route.directResponse !== undefined) {
    const { status, body } = route.directResponse;
    return {
      direct_response: {
        status,
        body:
          body?.bytes !== undefined
            ? { inline_bytes: body.bytes }
            : body?.string !== undefined
              ? { inline_string: body.string }
              : undefined,
      },
    };
  }
  const clusterOf = (destination: Destination) => destinationCluster(context, destination, port);
  const timeout = protoDuration(route.timeout) ?? "0s";
  const rewrite = route.rewrite;
  const regex = rewrite?.uriRegexRewrite;
  const live = (route.route ?? []).filter((entry) => (entry.weight ?? 0) > 0);
  const targets = (route.route ?? []).length === 1 ? (route.route ?? []) : live;
  const [first] = targets;
  const single = targets.length === 1 ? first : undefined;
  const singleHeaders = headerFields(single?.headers?.request, single?.headers?.response);
  return {
    // Headers of a single destination are the route's: there is no weighted cluster to carry them.
    ...(single?.headers === undefined ? {} : singleHeaders.fields),
    route: {
      ...(single !== undefined
        ? { cluster: clusterOf(single.destination) }
        : {
            weighted_clusters: {
              clusters: targets.map((entry) => {
                const headers = headerFields(entry.headers?.request, entry.headers?.response);
                return {
                  name: clusterOf(entry.destination),
                  weight: entry.weight ?? 0,
                  ...headers.fields,
                  host_rewrite_literal: headers.authority,
                };
              }),
            },
          }),
      timeout,
      retry_policy: retryPolicy(route.retries),
      max_grpc_timeout: timeout,
      prefix_rewrite: regex === undefined ? rewrite?.uri : undefined,
      regex_rewrite:
        regex === undefined ? undefined : { pattern: { regex: regex.match ?? "" }, substitution: regex.rewrite ?? "" },
      host_rewrite_literal: rewrite?.authority ?? authority ?? singleHeaders.authority,
      request_mirror_policies: mirrorPolicies(route, clusterOf),
      hash_policy: hashOf(
        context,
        targets.map((entry) => entry.destination),
        port,
      ),
    },
  };
}

function operationOf(route: HttpRoute, match: HttpMatchRequest | undefined, port: number): string {
  const path =
    match?.uri?.exact ?? (match?.uri?.prefix === undefined ? undefined : `${match.uri.prefix}*`) ?? match?.uri?.regex;
  const [target] = route.route ?? [];
  const suffix = path ?? "/*";
  if (target === undefined) return suffix;
  return `${target.destination.host}:${target.destination.port?.number ?? port}${suffix}`;
}

function hashOf(
  context: TranslateContext,
  destinations: readonly Destination[],
  port: number,
): EnvoyMessage["hash_policy"] {
  for (const destination of destinations) {
    const service = context.scope.servicesByHost.get(concreteHost(context.state, destination.host));
    if (service === undefined) continue;
    const rule = context.scope.ruleFor(service);
    const subset = rule?.subsets.find((candidate) => candidate.name === destination.subset);
    const target =
      destination.port?.number ?? (service.ports.length === 1 ? service.ports[0]?.port : undefined) ?? port;
    const policies = hashPolicies(effectivePolicy(rule, subset, target).loadBalancer?.consistentHash);
    if (policies !== undefined) return policies;
  }
  return undefined;
}
