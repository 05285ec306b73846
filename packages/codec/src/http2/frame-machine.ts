/**
 * Joins the parts of a connection: what the frame reader cuts goes to the receiver of its kind, what they found comes out of next(), and
 * commands go to the sender. See connection.ts for the contract.
 * Invariant: events come in the order of the bytes; between HEADERS and its last CONTINUATION nothing else is accepted (RFC 9113 §6.10).
 */
import type { HeaderBlock } from "../headers/header-block.ts";
import type { ConnectionState } from "./connection-state.ts";
import { Http2ErrorCode } from "./error-codes.ts";
import type {
  Http2Event,
  Http2OutgoingRequest,
  Http2OutgoingResponse,
  Http2SignalEvent,
  PeerSettings,
} from "./events.ts";
import { DATA_BEGIN, DATA_END, DATA_PIECE, FAILED, FRAME, FrameReader } from "./frame-reader.ts";
import { CLIENT_PREFACE, DEFAULT_WINDOW, Flag, FrameType, MAX_STREAM_ID, SettingId } from "./frames.ts";
import { ControlReceiver, PING_OF_CALLER, PING_OF_DRAIN } from "./receive-control.ts";
import { DataReceiver } from "./receive-data.ts";
import { HeaderReceiver, type TakeHead } from "./receive-headers.ts";
import { Sender } from "./sender.ts";

const NEED_DATA: Http2SignalEvent = { kind: "need-data" };
const CLOSED: Http2SignalEvent = { kind: "closed" };
const EMPTY: Buffer = Buffer.alloc(0);

export class FrameMachine<H> {
  private readonly state: ConnectionState<H>;
  private readonly reader: FrameReader;
  private readonly headers: HeaderReceiver<H>;
  private readonly data: DataReceiver<H>;
  private readonly control: ControlReceiver<H>;
  private readonly sender: Sender<H>;
  private isFirstFrame = true;
  private isFinished = false;
  private isDraining = false;

  constructor(state: ConnectionState<H>, takeHead: TakeHead<H>) {
    this.state = state;
    this.reader = new FrameReader(state.role === "server");
    this.headers = new HeaderReceiver(state, takeHead);
    this.data = new DataReceiver(state);
    this.control = new ControlReceiver(state, this.headers.decoder, () => {
      if (this.isDraining && state.sentGoaway === undefined) this.goaway(Http2ErrorCode.noError);
    });
    this.sender = new Sender(state);
    this.writePreface();
  }

  get hasOutput(): boolean {
    return this.state.writer.out.length > 0;
  }

  get outputLength(): number {
    return this.state.writer.out.length;
  }

  get isDrained(): boolean {
    const { state } = this;
    return state.streams.size === 0 && (state.sentGoaway !== undefined || state.hasReceivedGoaway);
  }

  get openStreams(): number {
    return this.state.streams.size;
  }

  get peerSettings(): PeerSettings {
    return this.state.peer;
  }

  get canOpenStream(): boolean {
    return this.sender.canOpenStream;
  }

  feed(buffer: Buffer, start: number, end: number): void {
    if (this.state.error === undefined) this.reader.feed(buffer, start, end);
  }

  finish(): void {
    this.isFinished = true;
  }

  next(): Http2Event<H> {
    const { state } = this;
    for (;;) {
      const event = state.shift();
      if (event !== undefined) return event;
      if (state.error !== undefined) return state.error;
      if (state.waiting.size > 0 && state.sendWindow > 0) {
        const writable = this.nextWritable();
        if (writable !== undefined) return writable;
      }
      const said = this.step();
      if (said !== undefined) return said;
      const flood = state.guard.checkOutbound();
      if (flood !== undefined) state.failCalm(flood);
    }
  }

  takeOutput(): Buffer {
    return this.state.writer.take();
  }

  sendRequest(head: Http2OutgoingRequest, isEnd: boolean): number {
    return this.sender.request(head, isEnd);
  }

  sendResponse(streamId: number, head: Http2OutgoingResponse, isEnd: boolean): void {
    this.sender.response(streamId, head, isEnd);
  }

  sendInformational(streamId: number, head: Http2OutgoingResponse): void {
    this.sender.response(streamId, head, false);
  }

  sendBody(streamId: number, buffer: Buffer, start: number, end: number, isEnd = false): number {
    return this.sender.body(streamId, buffer, start, end, isEnd);
  }

  sendTrailers(streamId: number, trailers: HeaderBlock): void {
    this.sender.trailers(streamId, trailers);
  }

  endStream(streamId: number): void {
    this.sender.body(streamId, EMPTY, 0, 0, true);
  }

  resetStream(streamId: number, code: number): void {
    this.sender.reset(streamId, code);
  }

  consume(streamId: number, bytes: number): void {
    const stream = this.state.streams.get(streamId);
    if (stream !== undefined && this.state.error === undefined) this.data.consume(stream, bytes);
  }

  ping(token: number): void {
    if (this.state.error !== undefined) return;
    const payload = Buffer.alloc(8);
    payload[0] = PING_OF_CALLER;
    payload.writeUIntBE(token, 2, 6);
    this.state.writer.ping(false, payload, 0);
  }

  goaway(code: number, debug = ""): void {
    const { state } = this;
    if (state.error !== undefined) return;
    state.sentGoaway ??= state.lastRemoteId;
    state.writer.goaway(state.sentGoaway, code, debug);
  }

  drain(): void {
    const { state } = this;
    if (this.isDraining || state.sentGoaway !== undefined || state.error !== undefined) return;
    this.isDraining = true;
    // Only servers have requests under way towards them.
    if (state.role === "client") {
      this.goaway(Http2ErrorCode.noError);
      return;
    }
    state.writer.goaway(MAX_STREAM_ID, Http2ErrorCode.noError, "");
    const payload = Buffer.alloc(8);
    payload[0] = PING_OF_DRAIN;
    state.writer.ping(false, payload, 0);
  }

  /** One frame or piece; undefined: look for events. */
  private step(): Http2Event<H> | undefined {
    const { reader, state } = this;
    switch (reader.next()) {
      case DATA_PIECE:
        return this.data.onPiece(reader);
      case DATA_BEGIN:
        if (this.mayCome(FrameType.data)) this.data.onBegin(reader);
        return undefined;
      case DATA_END:
        this.data.onEnd(reader);
        return undefined;
      case FRAME:
        this.onFrame();
        return undefined;
      case FAILED:
        state.fail(reader.errorCode, reader.message);
        return undefined;
      default:
        return this.isFinished ? CLOSED : NEED_DATA;
    }
  }

  private onFrame(): void {
    const { type } = this.reader;
    if (!this.mayCome(type)) return;
    if (type === FrameType.headers) this.headers.onHeaders(this.reader);
    else if (type === FrameType.continuation) this.headers.onContinuation(this.reader);
    else this.control.onFrame(this.reader);
  }

  private mayCome(type: number): boolean {
    const { state, headers } = this;
    if (this.isFirstFrame) {
      this.isFirstFrame = false;
      if (type !== FrameType.settings || (this.reader.flags & Flag.ack) !== 0) {
        state.fail(Http2ErrorCode.protocolError, "the first frame is not SETTINGS");
        return false;
      }
    }
    if (headers.expecting === 0 || type === FrameType.continuation) return true;
    state.fail(Http2ErrorCode.protocolError, "a frame within a header block");
    return false;
  }

  /** The longest waiting stream that its own window lets send. */
  private nextWritable(): Http2Event<H> | undefined {
    const { waiting } = this.state;
    for (const stream of waiting) {
      waiting.delete(stream);
      if (stream.sendWindow <= 0) continue;
      stream.isBlocked = false;
      return { kind: "window-available", streamId: stream.id };
    }
    return undefined;
  }

  private writePreface(): void {
    const { state } = this;
    const { settings, writer } = state;
    const isServer = state.role === "server";
    if (!isServer) writer.raw(CLIENT_PREFACE);
    const pairs = [SettingId.initialWindowSize, settings.initialStreamWindow];
    pairs.push(SettingId.maxHeaderListSize, state.limits.maxHeaderListBytes);
    if (settings.headerTableSize !== 4096) pairs.push(SettingId.headerTableSize, settings.headerTableSize);
    if (isServer) {
      pairs.push(SettingId.maxConcurrentStreams, settings.maxConcurrentStreams);
      if (settings.enableConnectProtocol) pairs.push(SettingId.enableConnectProtocol, 1);
    } else pairs.push(SettingId.enablePush, 0);
    writer.settings(pairs);
    const extra = state.receiveWindow - DEFAULT_WINDOW;
    if (extra > 0) writer.windowUpdate(0, extra);
  }
}
