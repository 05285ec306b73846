/**
 * What the caller commands: heads, bodies within the peer's windows (RFC 9113 §5.2), trailers, resets. Commands on a stream that is gone are
 * taken and dropped, because its reset event may not have been read yet; a command that breaks the order of a message throws.
 * Fields that belong to an HTTP/1 connection are left out of every block (RFC 9113 §8.2.2).
 */
import { MeshError } from "@argyle/core";
import type { HeaderBlock } from "../headers/header-block.ts";
import { checkField } from "../headers/text-header-block.ts";
import { FieldRole, fieldRole } from "../hpack/header-entry.ts";
import type { ConnectionState } from "./connection-state.ts";
import { EntryHeaderBlock, trimBlanks } from "./entry-header-block.ts";
import type { Http2OutgoingRequest, Http2OutgoingResponse } from "./events.ts";
import { MAX_FRAME_SIZE, MAX_STREAM_ID } from "./frames.ts";
import type { Http2Stream } from "./stream.ts";

const EMPTY: Buffer = Buffer.alloc(0);

export class Sender<H> {
  private readonly state: ConnectionState<H>;

  constructor(state: ConnectionState<H>) {
    this.state = state;
  }

  get canOpenStream(): boolean {
    const { state } = this;
    return (
      state.error === undefined &&
      !state.hasReceivedGoaway &&
      state.sentGoaway === undefined &&
      state.streams.size < state.peer.maxConcurrentStreams &&
      state.nextLocalId <= MAX_STREAM_ID
    );
  }

  /** The new stream's id, or 0 when no stream can be opened (see canOpenStream). */
  request(head: Http2OutgoingRequest, isEnd: boolean): number {
    const { state } = this;
    if (state.role !== "client") throw sendError("a server sends no requests");
    if (!this.canOpenStream) return 0;
    const { method, headers } = head;
    const authority = head.authority ?? headers.get("host") ?? "";
    const isPlainConnect = method === "CONNECT" && head.protocol === undefined;
    checkPseudo(head.target);
    checkPseudo(authority);
    const id = state.nextLocalId;
    state.nextLocalId += 2;
    const stream = state.open(id, method);
    const { encoder, out } = state.writer;
    const offset = state.writer.beginBlock();
    encoder.field(":method", method, out);
    if (isPlainConnect) encoder.field(":authority", authority === "" ? head.target : authority, out);
    else {
      encoder.field(":scheme", head.scheme, out);
      if (authority !== "") encoder.field(":authority", authority, out);
      encoder.field(":path", head.target, out);
      if (head.protocol !== undefined) encoder.field(":protocol", head.protocol, out);
    }
    this.writeFields(headers, true);
    this.writeLength(head);
    this.endHead(stream, offset, isEnd);
    return id;
  }

  response(streamId: number, head: Http2OutgoingResponse, isEnd: boolean): void {
    const { state } = this;
    const stream = this.sendable(streamId);
    if (stream === undefined) return;
    const isInterim = head.status < 200;
    if (stream.hasSentHead || (isInterim && isEnd))
      throw sendError("a response head was sent already, or ends too soon");
    const { encoder, out } = state.writer;
    const offset = state.writer.beginBlock();
    encoder.field(":status", String(head.status), out);
    this.writeFields(head.headers, false);
    if (isInterim) {
      state.writer.endBlock(offset, streamId, false, MAX_FRAME_SIZE);
      return;
    }
    this.writeLength(head);
    this.endHead(stream, offset, isEnd);
  }

  /** How many bytes were taken; all of them when the stream is gone. */
  body(streamId: number, buffer: Buffer, start: number, end: number, isEnd: boolean): number {
    const { state } = this;
    const stream = this.sendable(streamId);
    const length = end - start;
    if (stream === undefined) return length;
    if (!stream.hasSentHead) throw sendError("a body before its head");
    const allowed = Math.max(0, Math.min(length, stream.sendWindow, state.sendWindow));
    let at = start;
    const stop = start + allowed;
    while (at < stop) {
      const next = Math.min(stop, at + MAX_FRAME_SIZE);
      state.writer.data(streamId, buffer, at, next, isEnd && next === end);
      at = next;
    }
    if (length === 0 && isEnd && !state.writer.endData(streamId)) state.writer.data(streamId, EMPTY, 0, 0, true);
    stream.sendWindow -= allowed;
    state.sendWindow -= allowed;
    stream.isBlocked = allowed < length;
    if (stream.isBlocked) {
      // Waits for its own window first; that one's WINDOW_UPDATE puts it into the queue.
      if (stream.sendWindow > 0) state.waiting.add(stream);
    } else if (isEnd) this.end(stream);
    return allowed;
  }

  trailers(streamId: number, trailers: HeaderBlock): void {
    const { state } = this;
    const stream = this.sendable(streamId);
    if (stream === undefined) return;
    if (!stream.hasSentHead) throw sendError("trailers before their head");
    const offset = state.writer.beginBlock();
    this.writeFields(trailers, false);
    this.endHead(stream, offset, true);
  }

  /** RST_STREAM; the stream is gone for both sides and says nothing more. */
  reset(streamId: number, code: number): void {
    const { state } = this;
    if (state.error !== undefined || !state.streams.has(streamId)) return;
    state.guard.onStreamClosed();
    state.resetStream(streamId, code);
  }

  private sendable(streamId: number): Http2Stream | undefined {
    const { state } = this;
    if (state.error !== undefined) return undefined;
    const stream = state.streams.get(streamId);
    if (stream?.isSendEnded === true) throw sendError("the stream was ended already");
    return stream;
  }

  private endHead(stream: Http2Stream, offset: number, isEnd: boolean): void {
    this.state.writer.endBlock(offset, stream.id, isEnd, MAX_FRAME_SIZE);
    stream.hasSentHead = true;
    if (isEnd) this.end(stream);
  }

  private end(stream: Http2Stream): void {
    stream.isSendEnded = true;
    this.state.closeIfDone(stream);
  }

  // hot: once per field of every head; entries that came by HPACK go out by identity.
  private writeFields(headers: HeaderBlock, isRequest: boolean): void {
    const { encoder, out } = this.state.writer;
    if (headers instanceof EntryHeaderBlock) {
      const { entries } = headers;
      for (let i = 0; i < entries.length; i += 1) {
        const entry = entries[i];
        if (entry !== undefined && isSent(entry.role, entry.value, isRequest)) encoder.entry(entry, out);
      }
      return;
    }
    headers.forEach((name, value) => {
      if (isSent(fieldRole(name), value, isRequest)) encoder.field(name, trimBlanks(value), out);
    });
  }

  private writeLength(head: Http2OutgoingRequest | Http2OutgoingResponse): void {
    const { contentLength, framing, headers } = head;
    if (contentLength === undefined || (framing !== undefined && framing !== "length")) return;
    if (!headers.has("content-length"))
      this.state.writer.encoder.field("content-length", String(contentLength), this.state.writer.out);
  }
}

function isSent(role: number, value: string, isRequest: boolean): boolean {
  if (role === FieldRole.plain) return true;
  switch (role) {
    case FieldRole.connection:
    case FieldRole.invalidName:
      return false;
    case FieldRole.host:
      return !isRequest;
    case FieldRole.te:
      return isRequest && value.toLowerCase() === "trailers";
    default:
      // Pseudo headers cannot be in a block: add() and set() refuse a colon.
      return role > FieldRole.protocol;
  }
}

function checkPseudo(value: string): void {
  checkField("target", value);
}

function sendError(message: string): MeshError {
  return new MeshError(message, { code: "codec.http2.invalid-command" });
}
