/**
 * What the HTTP connection manager does to the headers of a request before filters see it: which addresses and headers are believed,
 * X-Forwarded-*, x-request-id, x-envoy-*, client certificate forwarding, path normalisation.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/configuration/http/http_conn_man/headers
 */
import { isIP } from "node:net";
import { createNameList, type HeaderBlock, removeHopByHop } from "@argyle/codec";
import type { HcmConfig } from "../config/hcm-config.ts";
import { oncePerObject } from "../config/once-per-object.ts";
import { badRequest, type LocalReply } from "../local-reply.ts";
import type { DownstreamFacts, DownstreamTlsFacts } from "./downstream-facts.ts";
import { resolveTarget } from "./request-target.ts";
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
  "x-envoy-internal",
]);
const EDGE_ONLY = createNameList([
  "x-envoy-downstream-service-cluster",
  "x-envoy-downstream-service-node",
  "x-envoy-decorator-operation",
  "x-envoy-original-path",
  "x-envoy-original-host",
  "x-envoy-original-url",
]);

export function prepareRequestHeaders(
  state: StreamState,
  config: HcmConfig,
  uuid: () => string,
  keepsUpgrade: boolean,
): LocalReply | undefined {
  const { headers, downstream } = state;
  const upgrade = keepsUpgrade ? headers.get("upgrade") : undefined;
  const connection = upgrade === undefined ? undefined : headers.combined("connection");
  if (!removeHopByHop(headers)) return badRequest("http1.connection_header_rejected");
  if (upgrade !== undefined) {
    headers.set("connection", connection ?? "upgrade");
    headers.set("upgrade", upgrade);
  }
  if (config.underscores !== "ALLOW" && !allowsUnderscores(headers, config.underscores))
    return badRequest("http1.unexpected_underscore");
  const target = resolveTarget(state, config);
  if (target !== undefined) return target;
  if (config.via !== "") headers.set("via", appended(headers.combined("via"), config.via));
  resolveRemote(state, config);
  cleanTrusted(state, config);
  forwardClientCertificate(headers, config, downstream);
  const hasRequestId = headers.has("x-request-id");
  const isEdge = config.useRemoteAddress && !state.isInternal;
  if (config.generateRequestId && (!hasRequestId || (isEdge && !config.preserveExternalRequestId)))
    headers.setOwn("x-request-id", uuid());
  return undefined;
}

/** Servers that map header names to CGI variables can't tell `x_a` from `x-a`. */
function allowsUnderscores(headers: HeaderBlock, action: "REJECT_REQUEST" | "DROP_HEADER"): boolean {
  const hasUnderscore = (name: string) => name.includes("_");
  if (action === "DROP_HEADER") {
    headers.removeWhere(hasUnderscore);
    return true;
  }
  let isClean = true;
  headers.forEach((name) => {
    isClean &&= !hasUnderscore(name);
  });
  return isClean;
}

function resolveRemote(state: StreamState, config: HcmConfig): void {
  const { headers, downstream } = state;
  const isTls = downstream.tls !== undefined;
  const hops = config.xffTrustedHops;
  const forwarded = headers.combined("x-forwarded-for") || undefined;
  if (config.useRemoteAddress) {
    state.isInternal = !headers.has("x-forwarded-for") && isInternal(config, downstream.remoteIp);
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
    // More than one address, or too few for the hops to trust: nobody vouches for it.
    state.isInternal = last !== undefined && forwarded?.includes(",") === false && isInternal(config, last);
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

function appended(list: string | undefined, value: string): string {
  return list === undefined ? value : `${list}, ${value}`;
}

/** An IP address; what is none is not believed. */
function nthFromEnd(forwarded: string | undefined, n: number): string | undefined {
  const parts = forwarded?.split(",");
  const address = parts?.[parts.length - n]?.trim();
  return address !== undefined && isIP(address) !== 0 ? address : undefined;
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
  const { tls } = downstream;
  if (clientCert.mode === "ALWAYS_FORWARD_ONLY") return;
  if (clientCert.mode === "SANITIZE" || tls?.peer === undefined) {
    headers.remove("x-forwarded-client-cert");
    return;
  }
  if (clientCert.mode === "FORWARD_ONLY") return;
  const entry = entriesOf(tls)(clientCert);
  const existing = headers.combined("x-forwarded-client-cert");
  headers.set(
    "x-forwarded-client-cert",
    clientCert.mode === "APPEND_FORWARD" && existing !== undefined ? `${existing},${entry}` : entry,
  );
}

/** hot: one entry a connection, not one a request. */
const entriesOf = oncePerObject((tls: DownstreamTlsFacts) =>
  oncePerObject((clientCert: HcmConfig["clientCert"]) => certificateEntry(tls, clientCert)),
);

/** Empty without a client's certificate. */
function certificateEntry({ peer, localPrincipal }: DownstreamTlsFacts, clientCert: HcmConfig["clientCert"]): string {
  if (peer === undefined) return "";
  const parts: string[] = [];
  if (localPrincipal !== undefined) parts.push(`By=${localPrincipal}`);
  parts.push(`Hash=${peer.hash}`);
  if (clientCert.cert) parts.push(`Cert="${encodeURIComponent(peer.pem)}"`);
  if (clientCert.subject) parts.push(`Subject="${peer.subject.replace(/["\\]/g, "\\$&")}"`);
  if (clientCert.uri) parts.push(`URI=${peer.principal ?? ""}`);
  if (clientCert.dns) for (const name of peer.dnsNames) parts.push(`DNS=${name}`);
  return parts.join(";").replace(/[\0-\x1f\x7f]/g, "");
}
