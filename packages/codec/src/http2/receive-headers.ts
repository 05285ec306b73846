/**
 * HEADERS and CONTINUATION (RFC 9113 §6.2, §6.10): gathers a block, bounded in bytes and frames, decodes it always (else HPACK's tables part),
 * then says what it is: a request, a response, an interim response, trailers, or a mistake.
 */
import { HpackDecoder } from "../hpack/decoder.ts";
import type { ConnectionState } from "./connection-state.ts";
import type { EntryHeaderBlock } from "./entry-header-block.ts";
import { Http2ErrorCode } from "./error-codes.ts";
import type { FrameReader } from "./frame-reader.ts";
import { Flag, readUint31 } from "./frames.ts";
import { HeadAssembler, type HeadProblem } from "./head-assembler.ts";
import { buildTrailers } from "./head-builder.ts";
import type { Http2Stream } from "./stream.ts";

/** What the role makes of a block that is not trailers: undefined, or why the stream is to be rejected. */
export type TakeHead<H> = (
  state: ConnectionState<H>,
  streamId: number,
  stream: Http2Stream | undefined,
  block: HeadAssembler,
  isEnd: boolean,
) => HeadProblem | undefined;

const EMPTY: Buffer = Buffer.alloc(0);
const PROBLEMS: Readonly<Record<HeadProblem, { readonly details: string; readonly message: string }>> = {
  "invalid-field": { details: "http2.invalid.header.field", message: "a header field is not valid" },
  "invalid-pseudo": { details: "http2.violation.of.messaging.rule", message: "a pseudo header is not valid here" },
  "missing-pseudo": { details: "http2.violation.of.messaging.rule", message: "a pseudo header is missing" },
  "connection-field": {
    details: "http2.invalid.header.field",
    message: "a field of HTTP/1 connections is not allowed",
  },
  "invalid-content-length": { details: "http2.invalid.header.field", message: "content-length is not one number" },
  "invalid-authority": { details: "http2.invalid.header.field", message: ":authority or host is not valid" },
  "invalid-path": { details: "http2.invalid.header.field", message: ":path is not valid" },
  "unexpected-block": { details: "http2.violation.of.messaging.rule", message: "the stream depends on itself" },
  "headers-too-large": { details: "http2.headers_too_large", message: "the headers are too large" },
  "too-many-headers": { details: "http2.too_many_headers", message: "there are too many headers" },
};

export class HeaderReceiver<H> {
  /** The stream whose block is not complete; no other frame may come between. 0: none. */
  expecting = 0;
  readonly decoder = new HpackDecoder(4096);
  private readonly state: ConnectionState<H>;
  private readonly takeHead: TakeHead<H>;
  private readonly assembler: HeadAssembler;
  private isEnd = false;
  private dependsOnItself = false;
  private block = EMPTY;
  private blockLength = 0;
  private continuations = 0;

  constructor(state: ConnectionState<H>, takeHead: TakeHead<H>) {
    this.state = state;
    this.takeHead = takeHead;
    this.assembler = new HeadAssembler(state.limits);
    if (state.settings.headerTableSize > 4096) this.decoder.setLimit(state.settings.headerTableSize);
  }

  onHeaders(frame: FrameReader): void {
    const { state } = this;
    const { streamId, flags, source } = frame;
    // Streams are the client's and odd; an even one would be pushed.
    if ((streamId & 1) === 0) {
      state.fail(Http2ErrorCode.protocolError, "HEADERS on a stream that cannot be");
      return;
    }
    if (state.role === "client" && state.isIdle(streamId)) {
      state.fail(Http2ErrorCode.protocolError, "HEADERS on a stream that was not opened");
      return;
    }
    let { start, end } = frame;
    if ((flags & Flag.padded) !== 0) {
      if (start === end) {
        state.fail(Http2ErrorCode.frameSizeError, "a padded frame has no pad length");
        return;
      }
      end -= source[start] ?? 0;
      start += 1;
    }
    this.dependsOnItself = false;
    if ((flags & Flag.priority) !== 0 && start <= end) {
      if (end - start < 5) {
        state.fail(Http2ErrorCode.frameSizeError, "HEADERS are too short");
        return;
      }
      this.dependsOnItself = readUint31(source, start) === streamId;
      start += 5;
    }
    if (start > end) {
      state.fail(Http2ErrorCode.protocolError, "padding is too long");
      return;
    }
    this.isEnd = (flags & Flag.endStream) !== 0;
    const flood = state.guard.onPayload(end - start, this.isEnd);
    if (flood !== undefined) {
      state.failCalm(flood);
      return;
    }
    if ((flags & Flag.endHeaders) !== 0) {
      this.finish(streamId, source, start, end);
      return;
    }
    this.expecting = streamId;
    this.continuations = 0;
    this.blockLength = 0;
    this.append(source, start, end);
  }

  onContinuation(frame: FrameReader): void {
    const { state } = this;
    if (this.expecting === 0 || frame.streamId !== this.expecting) {
      state.fail(Http2ErrorCode.protocolError, "CONTINUATION without HEADERS");
      return;
    }
    const isLast = (frame.flags & Flag.endHeaders) !== 0;
    const flood = state.guard.onPayload(frame.end - frame.start, false);
    if (flood !== undefined) {
      state.failCalm(flood);
      return;
    }
    this.continuations += 1;
    if (this.continuations > state.limits.maxContinuationFrames) {
      state.failCalm("http2.continuation_flood");
      return;
    }
    if (!this.append(frame.source, frame.start, frame.end) || !isLast) return;
    this.expecting = 0;
    const { block } = this;
    this.block = EMPTY;
    this.finish(frame.streamId, block, 0, this.blockLength);
  }

  private reject(streamId: number, problem: HeadProblem): void {
    const { state } = this;
    const { details, message } = PROBLEMS[problem];
    const isTooLarge = problem === "headers-too-large" || problem === "too-many-headers";
    if (!isTooLarge) {
      state.failStream(streamId, Http2ErrorCode.protocolError, message, details);
      return;
    }
    if (state.role === "client") {
      state.failStream(streamId, Http2ErrorCode.enhanceYourCalm, message, details);
      return;
    }
    // RFC 9113 §10.5.1: a server may say 431, as HTTP/1 does; the reset after it stops the body.
    if (state.streams.get(streamId)?.hasSentHead !== true) {
      const offset = state.writer.beginBlock();
      state.writer.encoder.field(":status", "431", state.writer.out);
      state.writer.endBlock(offset, streamId, true, state.peer.maxFrameSize);
    }
    state.failStream(streamId, Http2ErrorCode.noError, message, details);
  }

  private append(source: Buffer, start: number, end: number): boolean {
    const needed = this.blockLength + end - start;
    if (needed > this.state.limits.maxHeaderListBytes) {
      this.state.failCalm("http2.headers_too_large");
      return false;
    }
    if (needed > this.block.length) {
      const grown = Buffer.allocUnsafeSlow(
        Math.max(needed, Math.min(needed * 2, this.state.limits.maxHeaderListBytes)),
      );
      this.block.copy(grown, 0, 0, this.blockLength);
      this.block = grown;
    }
    source.copy(this.block, this.blockLength, start, end);
    this.blockLength = needed;
    return true;
  }

  private finish(streamId: number, source: Buffer, start: number, end: number): void {
    const { state, assembler } = this;
    assembler.begin();
    if (this.dependsOnItself) assembler.fail("unexpected-block");
    if (!this.decoder.decode(source, start, end, assembler)) {
      state.fail(Http2ErrorCode.compressionError, "a header block cannot be decoded");
      return;
    }
    state.guard.onHeaderBlockEnd();
    const stream = state.streams.get(streamId);
    if (stream === undefined) {
      if (state.role === "server" && state.isIdle(streamId)) this.takeBlock(streamId, undefined);
      else if (!state.wasReset(streamId)) state.fail(Http2ErrorCode.streamClosed, "HEADERS on a closed stream");
      return;
    }
    if (stream.isReceiveEnded) {
      state.failStream(streamId, Http2ErrorCode.streamClosed, "HEADERS after the end of the stream");
      return;
    }
    if (stream.hasHead) this.takeTrailers(stream);
    else this.takeBlock(streamId, stream);
  }

  private takeBlock(streamId: number, stream: Http2Stream | undefined): void {
    const problem = this.takeHead(this.state, streamId, stream, this.assembler, this.isEnd);
    if (problem !== undefined) this.reject(streamId, problem);
  }

  private takeTrailers(stream: Http2Stream): void {
    const { state } = this;
    if (!this.isEnd) {
      state.failStream(stream.id, Http2ErrorCode.protocolError, "trailers do not end the stream");
      return;
    }
    const trailers: EntryHeaderBlock | HeadProblem = buildTrailers(this.assembler);
    if (typeof trailers === "string") {
      this.reject(stream.id, trailers);
      return;
    }
    if (stream.expectedLength >= 0 && stream.receivedLength !== stream.expectedLength) {
      state.failStream(stream.id, Http2ErrorCode.protocolError, "the body is shorter than content-length");
      return;
    }
    state.push({ kind: "trailers", streamId: stream.id, headers: trailers });
    stream.isReceiveEnded = true;
    state.push({ kind: "end", streamId: stream.id });
    state.closeIfDone(stream);
  }
}
