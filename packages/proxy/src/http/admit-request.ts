/** What happens to a request before its filters: version, headers, trace, telemetry, its route, upgrades and expectations. */
import { createHeaderBlock } from "@argyle/codec";
import { LOCAL_REPLY, type LocalReply } from "../local-reply.ts";
import { samplingPercent } from "../tracing/sampling.ts";
import type { DownstreamSide } from "./downstream-side.ts";
import { countGrpcMessages } from "./grpc-messages.ts";
import { prepareRequestHeaders } from "./request-headers.ts";
import { allowsUpgrade, resolveRoute } from "./route-decision.ts";
import type { HttpStream } from "./stream.ts";
import { propagateTrace } from "./trace-context.ts";

/** The answer for a request that is refused. */
export function admitRequest(stream: HttpStream, down: DownstreamSide): LocalReply | undefined {
  const { context, state, head } = stream;
  const { config, telemetry } = context;
  if (head.minor === 0 && !config.acceptsHttp10) return LOCAL_REPLY.lowVersion;
  const wantsUpgrade = head.upgrade !== undefined && head.upgrade.toLowerCase() !== "h2c";
  const refused = prepareRequestHeaders(state, config, context.uuid, wantsUpgrade);
  if (refused !== undefined) return refused;
  stream.wantsTunnel = wantsUpgrade || head.method === "CONNECT";
  if (config.tracing !== undefined) {
    const percent = samplingPercent(config.tracing, state);
    stream.trace = propagateTrace(state.headers, percent, context);
  }
  if (telemetry !== undefined) {
    stream.messages = countGrpcMessages(state.headers.get("content-type"));
    telemetry.onRequest(stream);
  }
  resolveRoute(stream);
  if (wantsUpgrade && !allowsUpgrade(stream, head.upgrade ?? "")) return LOCAL_REPLY.upgradeFailed;
  // RFC 9110 §10.1.1: HTTP/1.0 knows no expectation.
  if (head.minor === 0) state.headers.remove("expect");
  if (head.expectContinue && !config.proxy100Continue) {
    state.headers.remove("expect");
    down.sendInformational({ status: 100, headers: createHeaderBlock() });
    down.flush();
  }
  return undefined;
}
