/** envoy.config.route.v3.RouteAction, compiled: where a request goes and how it is changed on the way. */
import type { Fields } from "./fields.ts";
import { compileFraction, type Fraction } from "./fraction.ts";
import { compileHeaderMutation, type HeaderMutation } from "./header-mutation.ts";
import { compilePerFilter, type PerFilterConfigs } from "./per-filter-config.ts";
import { compileRegex } from "./regex.ts";
import { compileRetryPolicy, type RetryPolicy } from "./retry-policy.ts";
import type { PathMatch } from "./route-match.ts";

export interface RouteAction {
  readonly kind: "route";
  readonly target: ClusterTarget;
  /** 0: none. Envoy's default is 15 s. */
  readonly timeoutMs: number;
  /** What a gRPC request may ask for by grpc-timeout, instead of timeoutMs; 0: anything. Undefined: grpc-timeout means nothing here. */
  readonly maxGrpcTimeoutMs: number | undefined;
  /** Taken off what is asked for, so that we answer before the client gives up. */
  readonly grpcTimeoutOffsetMs: number;
  readonly idleTimeoutMs: number | undefined;
  readonly maxStreamDurationMs: number | undefined;
  readonly retryPolicy: RetryPolicy | undefined;
  readonly pathRewrite: ((path: string) => string) | undefined;
  readonly hostRewrite: HostRewrite | undefined;
  readonly appendXForwardedHost: boolean;
  readonly mirrors: readonly MirrorPolicy[];
  readonly hashPolicies: readonly HashPolicy[];
  readonly clusterNotFoundCode: number;
  readonly metadataMatch: Readonly<Record<string, unknown>> | undefined;
  readonly upgrades: ReadonlyMap<string, boolean>;
  readonly isHighPriority: boolean;
}

export type ClusterTarget =
  | { readonly kind: "cluster"; readonly name: string }
  | { readonly kind: "header"; readonly header: string }
  | { readonly kind: "weighted"; readonly clusters: readonly WeightedCluster[]; readonly total: number };

export interface WeightedCluster {
  readonly name: string;
  readonly header: string;
  readonly weight: number;
  readonly requestHeaders: HeaderMutation | undefined;
  readonly responseHeaders: HeaderMutation | undefined;
  readonly hostRewrite: string;
  readonly metadataMatch: Readonly<Record<string, unknown>> | undefined;
  readonly filterConfigs: PerFilterConfigs;
}

export type HostRewrite =
  | { readonly kind: "literal"; readonly host: string }
  | { readonly kind: "auto" }
  | { readonly kind: "header"; readonly header: string }
  | { readonly kind: "path"; readonly rewrite: (path: string) => string };

export interface MirrorPolicy {
  readonly cluster: string;
  readonly clusterHeader: string;
  readonly fraction: Fraction | undefined;
  readonly appendsShadow: boolean;
}

export type HashPolicy = { readonly terminal: boolean } & (
  | { readonly kind: "header"; readonly name: string; readonly rewrite: (value: string) => string }
  | { readonly kind: "cookie"; readonly name: string; readonly ttlMs: number | undefined; readonly path: string }
  | { readonly kind: "source-ip" }
  | { readonly kind: "query"; readonly name: string }
);

const DEFAULT_TIMEOUT_MS = 15_000;

export function compileRouteAction(fields: Fields, match: PathMatch): RouteAction {
  const retry = fields.object("retry_policy");
  const maxStream = fields.object("max_stream_duration");
  return {
    kind: "route",
    target: compileTarget(fields),
    // Envoy: a route that limits the whole stream has no default for the response.
    timeoutMs: fields.duration("timeout", maxStream === undefined ? DEFAULT_TIMEOUT_MS : 0),
    maxGrpcTimeoutMs: maxStream?.duration("grpc_timeout_header_max") ?? fields.duration("max_grpc_timeout"),
    grpcTimeoutOffsetMs: maxStream?.duration("grpc_timeout_header_offset") ?? fields.duration("grpc_timeout_offset", 0),
    idleTimeoutMs: fields.duration("idle_timeout"),
    maxStreamDurationMs: maxStream?.duration("max_stream_duration"),
    retryPolicy: retry === undefined ? undefined : compileRetryPolicy(retry),
    pathRewrite: compilePathRewrite(fields, match),
    hostRewrite: compileHostRewrite(fields),
    appendXForwardedHost: fields.boolean("append_x_forwarded_host"),
    mirrors: fields.list("request_mirror_policies").map(compileMirror),
    hashPolicies: fields.list("hash_policy").flatMap(compileHashPolicy),
    clusterNotFoundCode:
      fields.enumeration("cluster_not_found_response_code", NOT_FOUND_CODES, "SERVICE_UNAVAILABLE") === "NOT_FOUND"
        ? 404
        : fields.string("cluster_not_found_response_code") === "INTERNAL_SERVER_ERROR"
          ? 500
          : 503,
    metadataMatch: subsetOf(fields),
    upgrades: new Map(
      fields
        .list("upgrade_configs")
        .map(refuseConnectTermination)
        .map((item) => [item.string("upgrade_type").toLowerCase(), item.boolean("enabled", true)]),
    ),
    isHighPriority: fields.string("priority") === "HIGH",
  };
}

/** A CONNECT is passed on as one; ending it here and dialling its target is not built. */
function refuseConnectTermination(upgrade: Fields): Fields {
  if (upgrade.has("connect_config")) upgrade.problem("connect_config", "terminating CONNECT is not supported");
  return upgrade;
}

const NOT_FOUND_CODES = ["SERVICE_UNAVAILABLE", "NOT_FOUND", "INTERNAL_SERVER_ERROR"] as const;

function compileTarget(fields: Fields): ClusterTarget {
  if (fields.has("cluster")) return { kind: "cluster", name: fields.required("cluster") };
  if (fields.has("cluster_header")) return { kind: "header", header: fields.required("cluster_header").toLowerCase() };
  const weighted = fields.object("weighted_clusters");
  if (weighted === undefined) {
    fields.problem("", "cluster_specifier is required");
    return { kind: "cluster", name: "" };
  }
  const clusters = weighted.list("clusters").map(compileWeighted);
  const sum = clusters.reduce((total, cluster) => total + cluster.weight, 0);
  const total = weighted.number("total_weight", sum);
  if (clusters.length === 0) weighted.problem("clusters", "must contain at least 1 item");
  else if (sum === 0) weighted.problem("clusters", "Sum of weights in the weighted_cluster must be greater than 0.");
  else if (weighted.has("total_weight") && total !== sum)
    weighted.problem("total_weight", `Sum of weights in the weighted_cluster should add up to ${total}`);
  return { kind: "weighted", clusters, total: sum };
}

function compileWeighted(fields: Fields): WeightedCluster {
  return {
    name: fields.string("name"),
    header: fields.string("cluster_header").toLowerCase(),
    weight: fields.number("weight", 0),
    requestHeaders: compileHeaderMutation(fields, "request"),
    responseHeaders: compileHeaderMutation(fields, "response"),
    hostRewrite: fields.string("host_rewrite_literal"),
    metadataMatch: subsetOf(fields),
    filterConfigs: compilePerFilter(fields),
  };
}

function subsetOf(fields: Fields): Readonly<Record<string, unknown>> | undefined {
  return fields.object("metadata_match")?.object("filter_metadata")?.object("envoy.lb")?.raw;
}

/** The new path with query. `prefix_rewrite` replaces what matched (the whole path for an exact or regex match). */
function compilePathRewrite(fields: Fields, match: PathMatch): RouteAction["pathRewrite"] {
  const regexRewrite = fields.object("regex_rewrite");
  if (regexRewrite !== undefined) {
    const regex = compileRegex(regexRewrite, "pattern");
    const substitution = regexRewrite.string("substitution");
    return (path) => {
      const mark = path.indexOf("?");
      return mark === -1
        ? regex.replace(path, substitution)
        : regex.replace(path.slice(0, mark), substitution) + path.slice(mark);
    };
  }
  const prefix = fields.string("prefix_rewrite");
  return prefix === "" ? undefined : (path) => rewritePrefix(path, match, prefix);
}

export function rewritePrefix(path: string, match: PathMatch, replacement: string): string {
  const mark = path.indexOf("?");
  const pathname = mark === -1 ? path : path.slice(0, mark);
  const query = mark === -1 ? "" : path.slice(mark);
  if (match.kind === "prefix" || match.kind === "separated-prefix")
    return replacement + pathname.slice(match.text.length) + query;
  return replacement + query;
}

function compileHostRewrite(fields: Fields): HostRewrite | undefined {
  if (fields.has("host_rewrite_literal")) return { kind: "literal", host: fields.string("host_rewrite_literal") };
  if (fields.boolean("auto_host_rewrite")) return { kind: "auto" };
  if (fields.has("host_rewrite_header"))
    return { kind: "header", header: fields.string("host_rewrite_header").toLowerCase() };
  const regex = fields.object("host_rewrite_path_regex");
  if (regex === undefined) return undefined;
  const pattern = compileRegex(regex, "pattern");
  const substitution = regex.string("substitution");
  return { kind: "path", rewrite: (path) => pattern.replace(path.split("?")[0] ?? path, substitution) };
}

function compileMirror(fields: Fields): MirrorPolicy {
  const fraction = fields.object("runtime_fraction");
  return {
    cluster: fields.string("cluster"),
    clusterHeader: fields.string("cluster_header").toLowerCase(),
    fraction: fraction === undefined ? undefined : compileFraction(fraction),
    appendsShadow: !fields.boolean("disable_shadow_host_suffix_append"),
  };
}

function compileHashPolicy(fields: Fields): readonly HashPolicy[] {
  const terminal = fields.boolean("terminal");
  const header = fields.object("header");
  if (header !== undefined) {
    const name = header.required("header_name").toLowerCase();
    return [{ kind: "header", terminal, name, rewrite: compileHashRewrite(header) }];
  }
  const cookie = fields.object("cookie");
  if (cookie !== undefined)
    return [
      {
        kind: "cookie",
        terminal,
        name: cookie.required("name"),
        ttlMs: cookie.duration("ttl"),
        path: cookie.string("path"),
      },
    ];
  const query = fields.object("query_parameter");
  if (query !== undefined) return [{ kind: "query", terminal, name: query.required("name") }];
  return fields.object("connection_properties")?.boolean("source_ip") === true ? [{ kind: "source-ip", terminal }] : [];
}

function compileHashRewrite(header: Fields): (value: string) => string {
  const regexRewrite = header.object("regex_rewrite");
  if (regexRewrite === undefined) return (value) => value;
  const regex = compileRegex(regexRewrite, "pattern");
  const substitution = regexRewrite.string("substitution");
  return (value) => regex.replace(value, substitution);
}
