/** SETTINGS, PING, GOAWAY, WINDOW_UPDATE, RST_STREAM and PRIORITY (RFC 9113 §6.3 to §6.9): every rule of theirs and what each changes. */
import type { HpackDecoder } from "../hpack/decoder.ts";
import type { ConnectionState } from "./connection-state.ts";
import { Http2ErrorCode, http2ErrorName } from "./error-codes.ts";
import type { PeerSettings } from "./events.ts";
import type { FrameReader } from "./frame-reader.ts";
import { Flag, FrameType, MAX_FRAME_SIZE, MAX_WINDOW, readUint31, SettingId } from "./frames.ts";

/** First byte of a PING of ours: what its answer means. */
export const PING_OF_CALLER = 1;
export const PING_OF_DRAIN = 2;

export class ControlReceiver<H> {
  private readonly state: ConnectionState<H>;
  private readonly decoder: HpackDecoder;
  private readonly onDrainPing: () => void;
  private isSettingsAcked = false;

  constructor(state: ConnectionState<H>, decoder: HpackDecoder, onDrainPing: () => void) {
    this.state = state;
    this.decoder = decoder;
    this.onDrainPing = onDrainPing;
  }

  onFrame(frame: FrameReader): void {
    switch (frame.type) {
      case FrameType.settings:
        this.onSettings(frame);
        return;
      case FrameType.ping:
        this.onPing(frame);
        return;
      case FrameType.windowUpdate:
        this.onWindowUpdate(frame);
        return;
      case FrameType.rstStream:
        this.onReset(frame);
        return;
      case FrameType.goaway:
        this.onGoaway(frame);
        return;
      case FrameType.priority:
        this.onPriority(frame);
        return;
      case FrameType.pushPromise:
        this.state.fail(Http2ErrorCode.protocolError, "PUSH_PROMISE was not allowed");
        return;
    }
  }

  private onSettings(frame: FrameReader): void {
    const { state } = this;
    const { source, start, length } = frame;
    if (frame.streamId !== 0) {
      state.fail(Http2ErrorCode.protocolError, "SETTINGS on a stream");
      return;
    }
    if ((frame.flags & Flag.ack) !== 0) {
      if (length !== 0) {
        state.fail(Http2ErrorCode.frameSizeError, "an acknowledgement of SETTINGS has a payload");
        return;
      }
      this.onSettingsAck();
      return;
    }
    if (length % 6 !== 0) {
      state.fail(Http2ErrorCode.frameSizeError, "SETTINGS are cut");
      return;
    }
    if (length / 6 > state.limits.maxSettingsPerFrame) {
      state.failCalm("http2.settings_flood");
      return;
    }
    let peer = state.peer;
    // Without a limit in its first SETTINGS the peer sets none.
    if (!this.sawSettings) peer = { ...peer, maxConcurrentStreams: MAX_WINDOW };
    this.sawSettings = true;
    for (let at = start; at < frame.end; at += 6) {
      const changed = this.applySetting(peer, source.readUInt16BE(at), source.readUInt32BE(at + 2));
      if (changed === undefined) return;
      peer = changed;
    }
    this.changeSendWindows(peer.initialWindowSize - state.peer.initialWindowSize);
    state.peer = peer;
    if (state.error !== undefined) return;
    state.writer.settingsAck();
    state.push({ kind: "settings", settings: peer });
  }

  private sawSettings = false;

  /** Undefined: the value is not allowed, and the connection has failed. */
  private applySetting(peer: PeerSettings, id: number, value: number): PeerSettings | undefined {
    const { state } = this;
    switch (id) {
      case SettingId.headerTableSize:
        state.writer.encoder.setPeerLimit(value);
        return { ...peer, headerTableSize: value };
      case SettingId.enablePush:
        if (value > 1 || (value === 1 && state.role === "client")) return this.refuse("ENABLE_PUSH");
        return peer;
      case SettingId.maxConcurrentStreams:
        return { ...peer, maxConcurrentStreams: value };
      case SettingId.initialWindowSize:
        if (value > MAX_WINDOW) return this.refuse("INITIAL_WINDOW_SIZE", Http2ErrorCode.flowControlError);
        return { ...peer, initialWindowSize: value };
      case SettingId.maxFrameSize:
        if (value < MAX_FRAME_SIZE || value > 0xff_ffff) return this.refuse("MAX_FRAME_SIZE");
        return { ...peer, maxFrameSize: value };
      case SettingId.maxHeaderListSize:
        return { ...peer, maxHeaderListSize: value };
      case SettingId.enableConnectProtocol:
        if (value > 1 || (value === 0 && peer.enableConnectProtocol)) return this.refuse("ENABLE_CONNECT_PROTOCOL");
        return { ...peer, enableConnectProtocol: value === 1 };
      default:
        return peer;
    }
  }

  private refuse(name: string, code: number = Http2ErrorCode.protocolError): undefined {
    this.state.fail(code, `the value of ${name} is not allowed`);
    return undefined;
  }

  /** RFC 9113 §6.9.2: a new initial window changes every open stream's, perhaps below zero. */
  private changeSendWindows(change: number): void {
    if (change === 0) return;
    const { state } = this;
    for (const stream of state.streams.values()) {
      stream.sendWindow += change;
      if (stream.sendWindow > MAX_WINDOW) {
        state.fail(Http2ErrorCode.flowControlError, "a stream's window is too large");
        return;
      }
      if (stream.isBlocked && stream.sendWindow > 0) state.waiting.add(stream);
    }
  }

  private onSettingsAck(): void {
    if (this.isSettingsAcked) return;
    this.isSettingsAcked = true;
    const { state } = this;
    const { headerTableSize, initialStreamWindow } = state.settings;
    if (headerTableSize < 4096) this.decoder.setLimit(headerTableSize);
    const change = initialStreamWindow - state.streamReceiveWindow;
    if (change === 0) return;
    state.streamReceiveWindow = initialStreamWindow;
    for (const stream of state.streams.values()) stream.receiveWindow += change;
  }

  private onPing(frame: FrameReader): void {
    const { state } = this;
    const { source, start } = frame;
    if (frame.streamId !== 0) {
      state.fail(Http2ErrorCode.protocolError, "PING on a stream");
      return;
    }
    if (frame.length !== 8) {
      state.fail(Http2ErrorCode.frameSizeError, "PING is not 8 bytes");
      return;
    }
    if ((frame.flags & Flag.ack) === 0) {
      state.writer.ping(true, source, start);
      return;
    }
    if (source[start] === PING_OF_DRAIN) this.onDrainPing();
    else if (source[start] === PING_OF_CALLER) state.push({ kind: "ping-ack", token: source.readUIntBE(start + 2, 6) });
  }

  private onGoaway(frame: FrameReader): void {
    const { state } = this;
    const { source, start, end } = frame;
    if (frame.streamId !== 0) {
      state.fail(Http2ErrorCode.protocolError, "GOAWAY on a stream");
      return;
    }
    if (frame.length < 8) {
      state.fail(Http2ErrorCode.frameSizeError, "GOAWAY is too short");
      return;
    }
    const lastStreamId = readUint31(source, start);
    const code = source.readUInt32BE(start + 4);
    state.hasReceivedGoaway = true;
    const debug = source.toString("latin1", start + 8, Math.min(end, start + 8 + MAX_DEBUG));
    state.push({ kind: "goaway", lastStreamId, code, debug });
    if (state.role === "server") return;
    for (const stream of [...state.streams.values()]) {
      if (stream.id <= lastStreamId) continue;
      state.remove(stream);
      state.push({
        kind: "reset",
        streamId: stream.id,
        code: Http2ErrorCode.refusedStream,
        isRemote: true,
        isRefused: true,
        details: "http2.remote_refuse",
        message: "the server went away before it took the stream",
      });
    }
  }

  private onWindowUpdate(frame: FrameReader): void {
    const { state } = this;
    const { streamId } = frame;
    if (frame.length !== 4) {
      state.fail(Http2ErrorCode.frameSizeError, "WINDOW_UPDATE is not 4 bytes");
      return;
    }
    const flood = state.guard.onWindowUpdate();
    if (flood !== undefined) {
      state.failCalm(flood);
      return;
    }
    const increment = readUint31(frame.source, frame.start);
    if (streamId === 0) {
      state.sendWindow += increment;
      if (increment === 0) state.fail(Http2ErrorCode.protocolError, "WINDOW_UPDATE of zero");
      else if (state.sendWindow > MAX_WINDOW)
        state.fail(Http2ErrorCode.flowControlError, "the connection's window is too large");
      return;
    }
    if (state.isIdle(streamId)) {
      state.fail(Http2ErrorCode.protocolError, "WINDOW_UPDATE on an idle stream");
      return;
    }
    const stream = state.streams.get(streamId);
    if (stream === undefined) {
      // The stream may have ended while it was on its way (RFC 9113 §5.1); no client sends zero for that reason.
      if (increment === 0) state.fail(Http2ErrorCode.protocolError, "WINDOW_UPDATE of zero");
      return;
    }
    stream.sendWindow += increment;
    if (increment === 0) {
      state.failStream(streamId, Http2ErrorCode.protocolError, "WINDOW_UPDATE of zero");
      return;
    }
    if (stream.sendWindow > MAX_WINDOW) {
      state.failStream(streamId, Http2ErrorCode.flowControlError, "the stream's window is too large");
      return;
    }
    if (stream.isBlocked && stream.sendWindow > 0) state.waiting.add(stream);
  }

  private onReset(frame: FrameReader): void {
    const { state } = this;
    const { streamId } = frame;
    if (frame.length !== 4) {
      state.fail(Http2ErrorCode.frameSizeError, "RST_STREAM is not 4 bytes");
      return;
    }
    if (state.isIdle(streamId)) {
      state.fail(Http2ErrorCode.protocolError, "RST_STREAM on an idle stream");
      return;
    }
    const stream = state.streams.get(streamId);
    if (stream === undefined) {
      state.forgetReset(streamId);
      return;
    }
    const code = frame.source.readUInt32BE(frame.start);
    state.remove(stream);
    state.push({
      kind: "reset",
      streamId,
      code,
      isRemote: true,
      isRefused: code === Http2ErrorCode.refusedStream,
      details: code === Http2ErrorCode.refusedStream ? "http2.remote_refuse" : "http2.remote_reset",
      message: `the peer reset the stream: ${http2ErrorName(code)}`,
    });
    if (state.role === "client") return;
    const flood = state.guard.onReset(state.monotonic() - stream.openedAt);
    if (flood !== undefined) state.failCalm(flood);
  }

  /** Obsolete (RFC 9113 §5.3.2): checked, counted and otherwise ignored. */
  private onPriority(frame: FrameReader): void {
    const { state } = this;
    if (frame.streamId === 0) {
      state.fail(Http2ErrorCode.protocolError, "PRIORITY without a stream");
      return;
    }
    const flood = state.guard.onPriority();
    if (flood !== undefined) {
      state.failCalm(flood);
      return;
    }
    if (frame.length !== 5) {
      if (state.isIdle(frame.streamId)) {
        state.fail(Http2ErrorCode.frameSizeError, "PRIORITY is not 5 bytes");
        return;
      }
      state.failStream(frame.streamId, Http2ErrorCode.frameSizeError, "PRIORITY is not 5 bytes");
      return;
    }
    if (readUint31(frame.source, frame.start) === frame.streamId)
      state.fail(Http2ErrorCode.protocolError, "a stream depends on itself");
  }
}

const MAX_DEBUG = 256;
