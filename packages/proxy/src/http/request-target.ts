/** What a request asks for: absolute-form targets, the authority and whether it is one, stripping of ports, path normalisation. */
import type { HcmConfig } from "../config/hcm-config.ts";
import { badRequest, LOCAL_REPLY, type LocalReply } from "../local-reply.ts";
import { isPlainPath, normalizePath } from "./path-normalization.ts";
import type { StreamState } from "./stream-state.ts";

/** RFC 3986 §3.2 without what would end an authority; anything else could be read as another host further on. */
const AUTHORITY = /^[A-Za-z0-9\-._~%!$&'()*+,;=:@[\]]*$/;
/** The codec has refused every other scheme, and userinfo is not passed on. */
const ABSOLUTE = /^https?:\/\/(?:[^@/?#]*@)?([^/?#]+)(.*)$/i;

/** hot: callers ask for the same host again and again. */
let lastValid = "";

function isAuthority(text: string): boolean {
  if (text === lastValid) return true;
  if (!AUTHORITY.test(text)) return false;
  lastValid = text;
  return true;
}

export function resolveTarget(state: StreamState, config: HcmConfig): LocalReply | undefined {
  const { headers } = state;
  // Envoy's parser knows it without the dash only.
  if (state.method === "M-SEARCH") return badRequest("http1.codec_error");
  const isConnect = state.method === "CONNECT";
  if (isConnect) {
    state.authority = state.path;
    headers.set("host", state.authority);
  } else if (!state.path.startsWith("/") && state.path !== "*") {
    const absolute = ABSOLUTE.exec(state.path);
    if (absolute === null) return LOCAL_REPLY.absolutePath;
    state.authority = absolute[1] ?? "";
    headers.set("host", state.authority);
    state.path = absolute[2] || "/";
  }
  if (!headers.has("host")) {
    // With an authority: its Connection header named Host.
    if (state.authority !== "" || state.protocol !== "HTTP/1.0" || config.defaultHostForHttp10 === "")
      return LOCAL_REPLY.missingHost;
    state.authority = config.defaultHostForHttp10;
    headers.set("host", state.authority);
  }
  if (!isAuthority(state.authority)) return badRequest("http.invalid_authority");
  if (isConnect) return undefined;
  if (config.stripsPort) {
    const bare = state.authority.replace(/:\d+$/, "");
    if (bare !== state.authority) {
      state.authority = bare;
      headers.set("host", bare);
    }
  }
  if (!state.path.startsWith("/")) return LOCAL_REPLY.absolutePath;
  const isPlain = isPlainPath(state.path);
  if (!isPlain && state.path.includes("#")) return LOCAL_REPLY.pathNormalization;
  if (state.method === "QUERY" && !headers.has("content-type")) return LOCAL_REPLY.queryWithoutType;
  return isPlain ? undefined : normalize(state, config);
}

function normalize(state: StreamState, config: HcmConfig): LocalReply | undefined {
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
        details: "path_normalization_failed",
        headers: [["location", normalized.path]],
      };
  }
}
