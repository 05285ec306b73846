/**
 * What the HTTP connection manager does to the headers of a request before filters see it: which addresses and headers are believed,
 * X-Forwarded-*, x-request-id, x-envoy-*, client certificate forwarding, path normalisation.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/configuration/http/http_conn_man/headers
 */
import { createNameList, type HeaderBlock, removeHopByHop } from "@argyle/codec";
import type { HcmConfig } from "../config/hcm-config.ts";
import { LOCAL_REPLY, type LocalReply } from "../local-reply.ts";
import type { DownstreamFacts } from "./downstream-facts.ts";
import { isPlainPath, normalizePath } from "./path-normalization.ts";
import type { StreamState } from "./stream-state.ts";

/** Only the mesh itself may send these: from outside they are removed. */
const INTERNAL_ONLY = createNameList([
  "x-envoy-retry-on",
  "x-envoy-retry-grpc-on",
  "x-envoy-max-retries",
  "x-envoy-upstream-alt-stat-name",
  "x-envoy-upstream-rq-timeout-ms",
  "x-envoy-upstream-rq-per-try-timeout-ms",
  "x-envoy-upstream-rq-timeout-alt-response",
  "x-envoy-expected-rq-timeout-ms",
  "x-envoy-retriable-status-codes",
  "x-envoy-retriable-header-names",
  "x-envoy-hedge-on-per-try-timeout",
  "x-envoy-force-trace",
  "x-envoy-ip-tags",
  "x-envoy-original-path",
  "x-envoy-original-url",
  "x-envoy-internal",
]);
const EDGE_ONLY = createNameList([
  "x-envoy-downstream-service-cluster",
  "x-envoy-downstream-service-node",
  "x-envoy-decorator-operation",
]);

export function prepareRequestHeaders(
  state: StreamState,
  config: HcmConfig,
  uuid: () => string,
  keepsUpgrade: boolean,
): LocalReply | undefined {
  const { headers, downstream } = state;
  const upgrade = keepsUpgrade ? headers.get("upgrade") : undefined;
  removeHopByHop(headers);
  if (upgrade !== undefined) {
    headers.set("connection", "upgrade");
    headers.set("upgrade", upgrade);
  }
  const target = resolveTarget(state, config);
  if (target !== undefined) return target;
  resolveRemote(state, config);
  cleanTrusted(state, config);
  forwardClientCertificate(headers, config, downstream);
  const hasRequestId = headers.has("x-request-id");
  const isEdge = config.useRemoteAddress && !state.isInternal;
  if (config.generateRequestId && (!hasRequestId || (isEdge && !config.preserveExternalRequestId)))
    headers.setOwn("x-request-id", uuid());
  return undefined;
}

/** Absolute-form targets, missing hosts, path normalisation. */
function resolveTarget(state: StreamState, config: HcmConfig): LocalReply | undefined {
  const { headers } = state;
  if (state.method === "CONNECT") {
    state.authority = state.path;
    return undefined;
  }
  if (!state.path.startsWith("/") && state.path !== "*") {
    const absolute = /^(https?):\/\/([^/?#]+)(.*)$/i.exec(state.path);
    if (absolute === null) return LOCAL_REPLY.pathNormalization;
    state.authority = absolute[2] ?? "";
    headers.set("host", state.authority);
    const rest = absolute[3] ?? "";
    state.path = rest.startsWith("/") ? rest : `/${rest}`;
  }
  if (state.authority === "") {
    if (state.protocol === "HTTP/1.0" && config.defaultHostForHttp10 !== "") {
      state.authority = config.defaultHostForHttp10;
      headers.set("host", state.authority);
    } else return LOCAL_REPLY.missingHost;
  }
  if (config.stripsPort) {
    const bare = state.authority.replace(/:\d+$/, "");
    if (bare !== state.authority) {
      state.authority = bare;
      headers.set("host", bare);
    }
  }
  if (state.path === "*" || isPlainPath(state.path)) return undefined;
  if (state.path.includes("#")) return LOCAL_REPLY.pathFragment;
  const normalized = normalizePath(state.path, config.path);
  switch (normalized.kind) {
    case "path":
      state.path = normalized.path;
      return undefined;
    case "rejected":
      return LOCAL_REPLY.pathNormalization;
    case "redirect":
      return {
        status: 307,
        body: "",
        flag: undefined,
        details: "path_normalization_redirect",
        headers: [["location", normalized.path]],
      };
  }
}

function resolveRemote(state: StreamState, config: HcmConfig): void {
  const { headers, downstream } = state;
  const isTls = downstream.tls !== undefined;
  const hops = config.xffTrustedHops;
  const forwarded = headers.combined("x-forwarded-for");
  if (config.useRemoteAddress) {
    state.isInternal = forwarded === undefined && isInternal(config, downstream.remoteIp);
    const trusted = hops > 0 ? nthFromEnd(forwarded, hops) : undefined;
    if (trusted !== undefined) state.remoteAddress = `${trusted}:0`;
    if (!config.skipXffAppend)
      headers.set(
        "x-forwarded-for",
        forwarded === undefined ? downstream.remoteIp : `${forwarded},${downstream.remoteIp}`,
      );
    if (hops === 0 || !headers.has("x-forwarded-proto")) headers.set("x-forwarded-proto", isTls ? "https" : "http");
    if (!state.isInternal) headers.set("x-envoy-external-address", trusted ?? downstream.remoteIp);
  } else {
    const last = nthFromEnd(forwarded, hops + 1);
    if (last !== undefined) state.remoteAddress = `${last}:0`;
    state.isInternal = forwarded !== undefined && !forwarded.includes(",") && isInternal(config, forwarded.trim());
    if (!headers.has("x-forwarded-proto")) headers.set("x-forwarded-proto", isTls ? "https" : "http");
  }
  state.scheme = schemeOf(headers.get("x-forwarded-proto"), isTls);
}

function schemeOf(proto: string | undefined, isTls: boolean): "http" | "https" {
  if (proto === "http" || proto === "https") return proto;
  const lower = proto?.toLowerCase();
  return lower === "http" || lower === "https" ? lower : isTls ? "https" : "http";
}

function isInternal(config: HcmConfig, ip: string): boolean {
  return config.internalRanges.some((range) => range.contains(ip));
}

function nthFromEnd(forwarded: string | undefined, n: number): string | undefined {
  const parts = forwarded?.split(",");
  return parts?.[parts.length - n]?.trim();
}

function cleanTrusted(state: StreamState, config: HcmConfig): void {
  const { headers } = state;
  if (state.isInternal) {
    headers.set("x-envoy-internal", "true");
    return;
  }
  headers.removeAll(INTERNAL_ONLY);
  if (config.useRemoteAddress) headers.removeAll(EDGE_ONLY);
}

/** x-forwarded-client-cert. https://www.envoyproxy.io/docs/envoy/v1.36.0/configuration/http/http_conn_man/headers#x-forwarded-client-cert */
function forwardClientCertificate(headers: HeaderBlock, config: HcmConfig, downstream: DownstreamFacts): void {
  const { clientCert } = config;
  const peer = downstream.tls?.peer;
  if (clientCert.mode === "ALWAYS_FORWARD_ONLY") return;
  if (clientCert.mode === "SANITIZE" || peer === undefined) {
    headers.remove("x-forwarded-client-cert");
    return;
  }
  if (clientCert.mode === "FORWARD_ONLY") return;
  const parts: string[] = [];
  if (downstream.tls?.localPrincipal !== undefined) parts.push(`By=${downstream.tls.localPrincipal}`);
  parts.push(`Hash=${peer.hash}`);
  if (clientCert.cert) parts.push(`Cert="${encodeURIComponent(peer.pem)}"`);
  if (clientCert.subject) parts.push(`Subject="${peer.subject.replace(/["\\]/g, "\\$&")}"`);
  if (clientCert.uri) parts.push(`URI=${peer.principal ?? ""}`);
  if (clientCert.dns) for (const name of peer.dnsNames) parts.push(`DNS=${name}`);
  const entry = parts.join(";").replace(/[\0-\x1f\x7f]/g, "");
  const existing = headers.combined("x-forwarded-client-cert");
  headers.set(
    "x-forwarded-client-cert",
    clientCert.mode === "APPEND_FORWARD" && existing !== undefined ? `${existing},${entry}` : entry,
  );
}
