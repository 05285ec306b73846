/** The two ways in which a response head goes downstream: the upstream's, finished and changed as the route asks, and one of our own with its body. */
import type { ResponseHead } from "@argyle/codec";
import type { LocalReply } from "../local-reply.ts";
import { applyResponseMutations, finishLocalHead, finishResponse, finishUpstreamHead } from "./apply-route.ts";
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
  const { headers, status, contentLength } = head;
  // The end of the upstream's connection ends its body, not the client's connection.
  const framing = head.framing === "until-close" ? "chunked" : head.framing;
  state.responseCode = status;
  state.responseHeaders = headers;
  state.responseCodeDetails = "via_upstream";
  state.responseDurationMs = stream.lastActivity - state.startedAt;
  finishUpstreamHead(stream, headers, head, attempt);
  if (stream.setCookie !== undefined) headers.add("set-cookie", stream.setCookie);
  context.telemetry?.onResponse(stream, headers, attempt.host);
  applyResponseMutations(stream, headers);
  finishResponse(stream, headers);
  // What is left of the request (or what followed a refused upgrade) must never be read as a request of its own.
  const isCut = !stream.isRequestDone || stream.wantsTunnel;
  down.sendHead({
    kind: "response",
    status,
    headers,
    framing,
    contentLength,
    close: framing !== "tunnel" && (isCut || context.isDraining()),
    requestMethod: state.method,
    requestMinor: stream.head.minor,
  });
}

export function sendLocalResponse(stream: HttpStream, down: DownstreamSide, reply: LocalReply): void {
  const { state, context, head } = stream;
  const { status, headers, body } = buildLocalResponse(reply, state.headers);
  state.responseHeaders = headers;
  applyResponseMutations(stream, headers);
  state.responseCode = status;
  finishLocalHead(stream, headers);
  context.telemetry?.onResponse(stream, headers, undefined);
  finishResponse(stream, headers);
  const close = reply.close === true || stream.wantsTunnel || (!stream.isRequestDone && head.framing !== "none");
  down.sendHead({
    kind: "response",
    status,
    headers,
    framing: body.length === 0 ? "none" : "length",
    contentLength: body.length,
    close: close || context.isDraining(),
    requestMethod: state.method,
    requestMinor: context.config.acceptsHttp10 ? head.minor : 1,
  });
  if (close) down.closeAfterStream();
  if (body.length > 0) down.sendBody(body, 0, body.length);
  state.bytesSent += body.length;
  down.sendEnd(undefined);
  down.flush();
}
