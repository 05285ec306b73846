/** Runs the HTTP filters of a request in order. A filter passes it on, waits, or answers; the router is what comes after the last one. */
import type { HttpFilterConfig } from "../config/http-filter-config.ts";
import type { PerFilterConfig } from "../config/per-filter-config.ts";
import { type CorsConfig, isAllowedOrigin, preflightHeaders } from "../filters/cors.ts";
import { decideFault, type FaultConfig } from "../filters/fault.ts";
import { decideRbac } from "../filters/rbac.ts";
import { rbacFacts } from "../filters/rbac-facts.ts";
import { faultAbort, rbacDenied } from "../local-reply.ts";
import { applyJwt } from "./apply-jwt.ts";
import type { HttpStream } from "./stream.ts";

/** What filters remember for the response. */
export interface StreamFilters {
  cors?: { readonly config: CorsConfig; readonly origin: string };
}

export function runFilters(stream: HttpStream): void {
  continueFrom(stream, 0);
}

function continueFrom(stream: HttpStream, index: number): void {
  const { filters } = stream.context;
  for (let i = index; i < filters.length; i++) {
    const filter = filters[i];
    if (filter === undefined || stream.isDone) return;
    switch (filter.kind) {
      case "fault": {
        const own = perRoute(stream, filter.name);
        if (own?.kind === "disabled") break;
        if (applyFault(stream, own?.kind === "fault" ? own.config : filter.config, i)) return;
        break;
      }
      case "cors": {
        const own = perRoute(stream, filter.name);
        if (own?.kind === "cors" && applyCors(stream, own.config)) return;
        break;
      }
      case "jwt":
        if (applyJwt(stream, filter)) return;
        break;
      case "rbac":
        if (applyRbac(stream, filter)) return;
        break;
      case "router":
      case "istio-stats":
      case "peer-metadata":
      case "none":
        break;
    }
  }
  stream.routeRequest();
}

/** The most specific configuration: route, virtual host, route configuration. */
function perRoute(stream: HttpStream, name: string): PerFilterConfig | undefined {
  return (
    stream.route?.filterConfigs.get(name) ??
    stream.virtualHost?.filterConfigs.get(name) ??
    stream.table?.filterConfigs.get(name)
  );
}

function applyFault(stream: HttpStream, config: FaultConfig, index: number): boolean {
  if (config.delay === undefined && config.abort === undefined) return false;
  const random = () => Math.floor(stream.context.random() * 0x7fffffff);
  const { delayMs, abortStatus } = decideFault(config, stream.state, random);
  const next = () => {
    if (abortStatus !== 0) stream.sendLocalReply(faultAbort(abortStatus));
    else continueFrom(stream, index + 1);
  };
  if (delayMs > 0) {
    stream.state.addFlag("DI");
    stream.waitThen(delayMs, next);
    return true;
  }
  if (abortStatus === 0) return false;
  next();
  return true;
}

/** True when the request was refused. */
function applyRbac(stream: HttpStream, filter: Extract<HttpFilterConfig, { readonly kind: "rbac" }>): boolean {
  const { config } = filter;
  const stats = stream.context.rbac.get(filter);
  const facts = rbacFacts(stream.state, "http");
  if (config.shadowRules !== undefined) {
    const shadow = decideRbac(config.shadowRules, facts);
    (shadow.isAllowed ? stats?.shadowAllowed : stats?.shadowDenied)?.add(1);
    stream.state.setMetadata("envoy.filters.http.rbac", {
      [`${config.shadowStatPrefix}shadow_effective_policy_id`]: shadow.policy,
      [`${config.shadowStatPrefix}shadow_engine_result`]: shadow.isAllowed ? "allowed" : "denied",
    });
  }
  if (config.rules === undefined) return false;
  const decision = decideRbac(config.rules, facts);
  (decision.isAllowed ? stats?.allowed : stats?.denied)?.add(1);
  if (decision.isAllowed) return false;
  stream.sendLocalReply(rbacDenied(decision.policy));
  return true;
}

function applyCors(stream: HttpStream, config: CorsConfig): boolean {
  const { headers, method } = stream.state;
  const origin = headers.get("origin");
  if (origin === undefined || origin === "") return false;
  const isPreflight = method === "OPTIONS" && headers.has("access-control-request-method");
  const isAllowed = isAllowedOrigin(config, origin);
  if (!isPreflight) {
    if (isAllowed) stream.filters = { cors: { config, origin } };
    return false;
  }
  if (!isAllowed && config.forwardsUnmatched) return false;
  stream.sendLocalReply({
    status: 200,
    body: "",
    flag: undefined,
    details: "cors_response",
    headers: isAllowed ? preflightHeaders(config, origin) : [],
  });
  return true;
}
