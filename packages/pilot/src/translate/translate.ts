/**
 * The whole translation: which resources of which type a proxy gets, by name. Pure; caching is config-source.ts's concern.
 * Type URLs: @argyle/xds is not imported, translation knows only JSON.
 */
import type { EnvoyMessage } from "../model/json.ts";
import type { MeshState } from "../model/mesh-state.ts";
import { type ProxyScope, scopeOf } from "../model/scope.ts";
import { outboundClusters } from "./cluster.ts";
import type { ProxyView, TranslateContext } from "./context.ts";
import { loadAssignment } from "./endpoint.ts";
import { gatewayListeners } from "./gateway-listener.ts";
import { gatewayRoute, gatewayRouteNames } from "./gateway-route.ts";
import { inboundClusters } from "./inbound-cluster.ts";
import { virtualInbound } from "./inbound-listener.ts";
import { outboundListeners } from "./outbound-listener.ts";
import { sidecarRoute } from "./route.ts";
import { gatewaySecretResource } from "./secret.ts";
import { sniClusterResources } from "./sni-cluster.ts";
import { virtualOutbound } from "./virtual-listener.ts";

export function contextOf(state: MeshState, node: ProxyView): TranslateContext {
  const scope: ProxyScope = scopeOf(state, node);
  return { state, node, scope };
}

/** Clusters that every proxy of this scope shares. */
export function sharedClusters(context: TranslateContext): readonly EnvoyMessage[] {
  return outboundClusters(context);
}

/** Clusters of this proxy alone. */
export function ownClusters(context: TranslateContext): readonly EnvoyMessage[] {
  return context.node.type === "sidecar" ? inboundClusters(context) : sniClusterResources(context);
}

export function listeners(context: TranslateContext): readonly EnvoyMessage[] {
  if (context.node.type === "router") return gatewayListeners(context);
  return [virtualOutbound(context), virtualInbound(context), ...outboundListeners(context)];
}

export function routeConfiguration(context: TranslateContext, name: string): EnvoyMessage | undefined {
  return context.node.type === "router" ? gatewayRoute(context, name) : sidecarRoute(context, name);
}

/** Names that the listeners of this proxy refer to. */
export function routeNames(context: TranslateContext): readonly string[] {
  if (context.node.type === "router") return gatewayRouteNames(context);
  const names = new Set<string>();
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) for (const item of value) visit(item);
    else if (typeof value === "object" && value !== null) {
      for (const [key, child] of Object.entries(value)) {
        if (key === "route_config_name" && typeof child === "string") names.add(child);
        else visit(child);
      }
    }
  };
  visit(outboundListeners(context));
  return [...names].sort();
}

export function endpoints(context: TranslateContext, name: string): EnvoyMessage | undefined {
  return loadAssignment(context, name);
}

export function secret(context: TranslateContext, name: string): EnvoyMessage | undefined {
  return gatewaySecretResource(context, name);
}
