/** Starts the shadows that a route asks for. */
import { isInFraction } from "../config/fraction.ts";
import { headerReader } from "../config/header-matcher.ts";
import type { RouteAction } from "../config/route-action.ts";
import { MirrorRequest, shadowHost } from "./mirror.ts";
import type { HttpStream } from "./stream.ts";

export function startMirrors(stream: HttpStream, action: RouteAction): readonly MirrorRequest[] {
  const { context, state, head, snapshot } = stream;
  const mirrors: MirrorRequest[] = [];
  for (const policy of action.mirrors) {
    const random = Math.floor(context.random() * 0x7fffffff);
    if (policy.fraction !== undefined && !isInFraction(policy.fraction, random)) continue;
    const name = policy.cluster === "" ? (headerReader(policy.clusterHeader)(state) ?? "") : policy.cluster;
    const cluster = snapshot.clusters.get(name);
    if (cluster === undefined) continue;
    const headers = state.headers.clone();
    if (policy.appendsShadow) headers.set("host", shadowHost(state.authority));
    const { framing, contentLength } = head;
    const mirror = new MirrorRequest(
      {
        kind: "request",
        method: state.method,
        scheme: state.scheme,
        target: state.path,
        headers,
        framing,
        contentLength,
      },
      {
        upstreamAlpn: context.config.upstreamAlpn,
        isHttp2: state.isHttp2,
        upstreamAuthority: headers.get("host") ?? "",
      },
    );
    mirror.start(cluster, context.clock.monotonic());
    mirrors.push(mirror);
  }
  return mirrors;
}
