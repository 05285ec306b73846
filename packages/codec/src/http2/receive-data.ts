/**
 * DATA (RFC 9113 §6.1) and the windows we grant (§5.2, §6.9). All rules are applied when a frame begins, from its header alone, so that the
 * verdict does not depend on how the bytes were split; the pieces then pass through untouched.
 */
import type { ConnectionState } from "./connection-state.ts";
import { Http2ErrorCode } from "./error-codes.ts";
import type { Http2BodyEvent } from "./events.ts";
import type { FrameReader } from "./frame-reader.ts";
import { Flag } from "./frames.ts";
import type { Http2Stream } from "./stream.ts";

export class DataReceiver<H> {
  private readonly state: ConnectionState<H>;
  /** The stream of the current frame; undefined when its bytes are dropped. */
  private stream: Http2Stream | undefined;
  private readonly event: { kind: "body"; streamId: number; buffer: Buffer; start: number; end: number };

  constructor(state: ConnectionState<H>) {
    this.state = state;
    this.event = { kind: "body", streamId: 0, buffer: EMPTY, start: 0, end: 0 };
  }

  onBegin(frame: FrameReader): void {
    const { state } = this;
    const { streamId, length, dataLength } = frame;
    this.stream = undefined;
    if (streamId === 0 || state.isIdle(streamId)) {
      state.fail(Http2ErrorCode.protocolError, "DATA on a stream that is not open");
      return;
    }
    const isEnd = (frame.flags & Flag.endStream) !== 0;
    const flood = state.guard.onPayload(dataLength, isEnd);
    if (flood !== undefined) {
      state.failCalm(flood);
      return;
    }
    state.receiveWindow -= length;
    if (state.receiveWindow < 0) {
      state.fail(Http2ErrorCode.flowControlError, "DATA exceeds the connection's window");
      return;
    }
    const stream = state.streams.get(streamId);
    if (stream === undefined) {
      state.creditConnection(length);
      if (!state.wasReset(streamId)) state.resetStream(streamId, Http2ErrorCode.streamClosed);
      return;
    }
    stream.held += length;
    stream.receiveWindow -= length;
    stream.receivedLength += dataLength;
    const { expectedLength } = stream;
    if (stream.isReceiveEnded) {
      state.failStream(streamId, Http2ErrorCode.streamClosed, "DATA after the end of the stream");
      return;
    }
    if (stream.receiveWindow < 0) {
      state.failStream(streamId, Http2ErrorCode.flowControlError, "DATA exceeds the stream's window");
      return;
    }
    if (!stream.hasHead) {
      state.failStream(streamId, Http2ErrorCode.protocolError, "DATA before HEADERS");
      return;
    }
    if (
      expectedLength >= 0 &&
      (stream.receivedLength > expectedLength || (isEnd && stream.receivedLength < expectedLength))
    ) {
      state.failStream(streamId, Http2ErrorCode.protocolError, "the body is not as long as content-length says");
      return;
    }
    this.stream = stream;
  }

  onPiece(frame: FrameReader): Http2BodyEvent | undefined {
    const { stream, event } = this;
    // The caller may have reset the stream between two pieces.
    if (stream === undefined || this.state.streams.get(stream.id) !== stream) return undefined;
    event.streamId = stream.id;
    event.buffer = frame.source;
    event.start = frame.start;
    event.end = frame.end;
    return event;
  }

  onEnd(frame: FrameReader): void {
    const { stream, state } = this;
    this.stream = undefined;
    if (stream === undefined || state.streams.get(stream.id) !== stream) return;
    if ((frame.flags & Flag.endStream) !== 0) {
      stream.isReceiveEnded = true;
      state.push({ kind: "end", streamId: stream.id });
    }
    // Padding is nobody's to consume.
    if (frame.length > frame.dataLength) this.consume(stream, frame.length - frame.dataLength);
    state.closeIfDone(stream);
  }

  /** The caller is done with these bytes: the peer may send as many again. */
  consume(stream: Http2Stream, bytes: number): void {
    const { state } = this;
    const given = Math.min(bytes, stream.held);
    if (given <= 0) return;
    stream.held -= given;
    state.creditConnection(given);
    if (stream.isReceiveEnded) return;
    stream.credit += given;
    if (stream.credit * 2 < state.settings.initialStreamWindow) return;
    state.writer.windowUpdate(stream.id, stream.credit);
    stream.receiveWindow += stream.credit;
    stream.credit = 0;
  }
}

const EMPTY: Buffer = Buffer.alloc(0);
