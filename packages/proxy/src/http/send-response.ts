/** The two ways in which a response head goes downstream: the upstream's, finished and changed as the route asks, and one of our own with its body. */
import type { ResponseHead } from "@argyle/codec";
import type { LocalReply } from "../local-reply.ts";
import { applyResponseMutations, finalizeResponse } from "./apply-route.ts";
import type { DownstreamSide } from "./downstream-side.ts";
import { buildLocalResponse } from "./local-response.ts";
import type { HttpStream } from "./stream.ts";
import type { UpstreamRequest } from "./upstream-request.ts";

export function sendUpstreamHead(
  stream: HttpStream,
  down: DownstreamSide,
  attempt: UpstreamRequest,
  head: ResponseHead,
): void {
  const { state, context } = stream;
  const { headers, status, framing, contentLength } = head;
  state.responseCode = status;
  state.responseHeaders = headers;
  state.responseCodeDetails = "via_upstream";
  state.responseDurationMs = stream.lastActivity - state.startedAt;
  finalizeResponse(stream, headers, head, attempt);
  if (stream.setCookie !== undefined) headers.add("set-cookie", stream.setCookie);
  context.telemetry?.onResponse(stream, headers, attempt.host);
  applyResponseMutations(stream, headers);
  down.sendHead({
    kind: "response",
    status,
    headers,
    framing,
    contentLength,
    close: framing !== "tunnel" && context.isDraining(),
    requestMethod: state.method,
    requestMinor: stream.head.minor,
  });
}

export function sendLocalResponse(stream: HttpStream, down: DownstreamSide, reply: LocalReply): void {
  const { state, context, head } = stream;
  const { status, headers, body } = buildLocalResponse(reply, state.headers);
  state.responseCode = status;
  state.responseHeaders = headers;
  applyResponseMutations(stream, headers);
  context.telemetry?.onResponse(stream, headers, undefined);
  finalizeResponse(stream, headers);
  const close = reply.close === true || (!stream.isRequestDone && head.framing !== "none");
  down.sendHead({
    kind: "response",
    status,
    headers,
    framing: body.length === 0 ? "none" : "length",
    contentLength: body.length,
    close: close || context.isDraining(),
    requestMethod: state.method,
    requestMinor: head.minor,
  });
  if (close) down.closeAfterStream();
  if (body.length > 0) down.sendBody(body, 0, body.length);
  state.bytesSent += body.length;
  down.sendEnd(undefined);
  down.flush();
}
