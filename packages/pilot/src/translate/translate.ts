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
import { isOwnListener, type ListenerDraft, outboundDrafts, outboundListener } from "./outbound-listener.ts";
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

/** What the outbound listeners of every sidecar of this scope are made from. */
export function listenerDrafts(context: TranslateContext): readonly ListenerDraft[] {
  return outboundDrafts(context);
}

/** Listeners that every sidecar of this scope shares. */
export function sharedListeners(context: TranslateContext, drafts: readonly ListenerDraft[]): readonly EnvoyMessage[] {
  return [virtualOutbound(context), ...sorted(context, drafts, false)];
}

/** Outbound listeners of this sidecar alone. */
export function ownListeners(context: TranslateContext, drafts: readonly ListenerDraft[]): readonly EnvoyMessage[] {
  return sorted(context, drafts, true);
}

/** What takes connections from outside the pod: of this proxy alone. */
export function inboundListeners(context: TranslateContext): readonly EnvoyMessage[] {
  return context.node.type === "router" ? gatewayListeners(context) : [virtualInbound(context)];
}

function sorted(context: TranslateContext, drafts: readonly ListenerDraft[], own: boolean): readonly EnvoyMessage[] {
  return drafts
    .filter((draft) => isOwnListener(draft) === own)
    .map((draft) => outboundListener(context, draft))
    .sort((a, b) => (String(a.name) < String(b.name) ? -1 : 1));
}

export function routeConfiguration(context: TranslateContext, name: string): EnvoyMessage | undefined {
  return context.node.type === "router" ? gatewayRoute(context, name) : sidecarRoute(context, name);
}

/** Names that the listeners of this proxy refer to. */
export function routeNames(context: TranslateContext): readonly string[] {
  if (context.node.type === "router") return gatewayRouteNames(context);
  const names = outboundDrafts(context).flatMap(({ httpRoute }) => (httpRoute === undefined ? [] : [httpRoute]));
  return [...new Set(names)].sort();
}

export function endpoints(context: TranslateContext, name: string): EnvoyMessage | undefined {
  return loadAssignment(context, name);
}

export function secret(context: TranslateContext, name: string): EnvoyMessage | undefined {
  return gatewaySecretResource(context, name);
}
