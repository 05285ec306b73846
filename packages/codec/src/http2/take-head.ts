/** A block that begins a message, as each role takes it: a request that opens a stream, or an interim or final response on one of ours. */
import type { ConnectionState } from "./connection-state.ts";
import { Http2ErrorCode } from "./error-codes.ts";
import type { Http2RequestHead, Http2ResponseHead } from "./events.ts";
import type { HeadAssembler, HeadProblem } from "./head-assembler.ts";
import { buildRequestHead, buildResponseHead } from "./head-builder.ts";
import type { Http2Stream } from "./stream.ts";

export function takeRequest(
  state: ConnectionState<Http2RequestHead>,
  streamId: number,
  _stream: Http2Stream | undefined,
  block: HeadAssembler,
  isEnd: boolean,
): HeadProblem | undefined {
  const isBeyondGoaway = state.sentGoaway !== undefined && streamId > state.sentGoaway;
  state.lastRemoteId = streamId;
  if (isBeyondGoaway || state.streams.size >= state.settings.maxConcurrentStreams) {
    state.resetStream(streamId, Http2ErrorCode.refusedStream);
    return undefined;
  }
  const head = buildRequestHead(block, isEnd, state.settings.enableConnectProtocol);
  if (typeof head === "string") return head;
  if (isEnd && block.contentLength > 0) return "invalid-content-length";
  const stream = state.open(streamId, head.method);
  stream.hasHead = true;
  stream.expectedLength = head.framing === "tunnel" ? -1 : block.contentLength;
  state.push({ kind: "head", streamId, head });
  endIf(isEnd, state, stream);
  return undefined;
}

export function takeResponse(
  state: ConnectionState<Http2ResponseHead>,
  streamId: number,
  stream: Http2Stream | undefined,
  block: HeadAssembler,
  isEnd: boolean,
): HeadProblem | undefined {
  if (stream === undefined) return undefined;
  const head = buildResponseHead(block, isEnd, stream.method);
  if (typeof head === "string") return head;
  if (head.status < 200) {
    state.push({ kind: "informational", streamId, head });
    return undefined;
  }
  stream.hasHead = true;
  const { method } = stream;
  const hasNoBody = method === "HEAD" || head.status === 204 || head.status === 304;
  // CONNECT's 2xx has neither a length nor an end that was announced.
  stream.expectedLength = hasNoBody ? 0 : head.framing === "tunnel" ? -1 : block.contentLength;
  if (isEnd && !hasNoBody && block.contentLength > 0) return "invalid-content-length";
  state.push({ kind: "head", streamId, head });
  endIf(isEnd, state, stream);
  return undefined;
}

function endIf<H>(isEnd: boolean, state: ConnectionState<H>, stream: Http2Stream): void {
  if (!isEnd) return;
  stream.isReceiveEnded = true;
  state.push({ kind: "end", streamId: stream.id });
  state.closeIfDone(stream);
}
