/**
 * Writes frames into a connection's output and counts them for the flood budgets. Knows the layout of frames (RFC 9113 §6), nothing of streams.
 */
import { HpackEncoder } from "../hpack/encoder.ts";
import { OutputBuffer } from "../hpack/output.ts";
import type { FloodGuard } from "./flood-guard.ts";
import { Flag, FRAME_HEADER_SIZE, FrameType } from "./frames.ts";

const FLAGS_AT = 4;

export class FrameWriter {
  readonly out = new OutputBuffer();
  readonly encoder: HpackEncoder;
  private readonly guard: FloodGuard;
  /** The DATA frame that was written last and not yet taken: its stream, or 0, and where it begins. */
  private dataStream = 0;
  private dataOffset = 0;

  constructor(guard: FloodGuard, maxTableSize: number) {
    this.guard = guard;
    this.encoder = new HpackEncoder(maxTableSize);
  }

  raw(bytes: Buffer): void {
    this.out.reserve(bytes.length);
    bytes.copy(this.out.buffer, this.out.end);
    this.out.end += bytes.length;
  }

  /** pairs: id, value, id, value… */
  settings(pairs: readonly number[]): void {
    const { out } = this;
    this.header(pairs.length * 3, FrameType.settings, 0, 0, false);
    for (let i = 0; i < pairs.length; i += 2) {
      out.end = out.buffer.writeUInt16BE(pairs[i] ?? 0, out.end);
      out.end = out.buffer.writeUInt32BE(pairs[i + 1] ?? 0, out.end);
    }
  }

  settingsAck(): void {
    this.header(0, FrameType.settings, Flag.ack, 0, true);
  }

  /** The 8 bytes at `at`. */
  ping(isAck: boolean, source: Buffer, at: number): void {
    this.header(8, FrameType.ping, isAck ? Flag.ack : 0, 0, isAck);
    source.copy(this.out.buffer, this.out.end, at, at + 8);
    this.out.end += 8;
  }

  resetStream(streamId: number, code: number): void {
    this.header(4, FrameType.rstStream, 0, streamId, true);
    this.uint32(code);
  }

  windowUpdate(streamId: number, increment: number): void {
    this.header(4, FrameType.windowUpdate, 0, streamId, false);
    this.uint32(increment);
  }

  goaway(lastStreamId: number, code: number, debug: string): void {
    const text = Buffer.from(debug, "latin1");
    this.header(8 + text.length, FrameType.goaway, 0, 0, false);
    this.uint32(lastStreamId);
    this.uint32(code);
    this.raw(text);
  }

  data(streamId: number, source: Buffer, start: number, end: number, isEnd: boolean): void {
    this.guard.dataFramesSent += 1;
    this.dataStream = streamId;
    this.dataOffset = this.out.length;
    this.header(end - start, FrameType.data, isEnd ? Flag.endStream : 0, streamId, false);
    source.copy(this.out.buffer, this.out.end, start, end);
    this.out.end += end - start;
  }

  /** END_STREAM on the stream's last DATA frame, while it is still here. False: an empty one is needed. */
  endData(streamId: number): boolean {
    if (this.dataStream !== streamId) return false;
    const at = this.out.positionOf(this.dataOffset) + FLAGS_AT;
    this.out.buffer[at] = (this.out.buffer[at] ?? 0) | Flag.endStream;
    return true;
  }

  /** Room for the frame header; the block is encoded behind it. Returns what endBlock() wants. */
  beginBlock(): number {
    const { out } = this;
    const offset = out.length;
    out.reserve(FRAME_HEADER_SIZE);
    out.end += FRAME_HEADER_SIZE;
    this.encoder.begin(out);
    return offset;
  }

  /** Writes the header of the block that began at `offset`; a block larger than one frame is cut into CONTINUATION frames. */
  endBlock(offset: number, streamId: number, isEnd: boolean, maxFrameSize: number): void {
    const { out } = this;
    const size = out.length - offset - FRAME_HEADER_SIZE;
    const endStream = isEnd ? Flag.endStream : 0;
    if (size <= maxFrameSize) {
      this.headerAt(out.positionOf(offset), size, FrameType.headers, endStream | Flag.endHeaders, streamId);
      this.guard.onSent(false);
      return;
    }
    const from = out.positionOf(offset) + FRAME_HEADER_SIZE;
    const block = Buffer.from(out.buffer.subarray(from, from + size));
    out.end = out.positionOf(offset);
    for (let at = 0; at < size; at += maxFrameSize) {
      const stop = Math.min(size, at + maxFrameSize);
      const flags = stop === size ? Flag.endHeaders : 0;
      if (at === 0) this.header(stop, FrameType.headers, endStream | flags, streamId, false);
      else this.header(stop - at, FrameType.continuation, flags, streamId, false);
      this.raw(block.subarray(at, stop));
    }
  }

  take(): Buffer {
    this.guard.onTaken();
    this.dataStream = 0;
    return this.out.take();
  }

  private header(length: number, type: number, flags: number, streamId: number, isControl: boolean): void {
    const { out } = this;
    out.reserve(FRAME_HEADER_SIZE + length);
    this.headerAt(out.end, length, type, flags, streamId);
    out.end += FRAME_HEADER_SIZE;
    this.guard.onSent(isControl);
  }

  private headerAt(at: number, length: number, type: number, flags: number, streamId: number): void {
    const { buffer } = this.out;
    buffer[at] = length >>> 16;
    buffer[at + 1] = length >>> 8;
    buffer[at + 2] = length;
    buffer[at + 3] = type;
    buffer[at + 4] = flags;
    buffer[at + 5] = streamId >>> 24;
    buffer[at + 6] = streamId >>> 16;
    buffer[at + 7] = streamId >>> 8;
    buffer[at + 8] = streamId;
  }

  private uint32(value: number): void {
    this.out.end = this.out.buffer.writeUInt32BE(value, this.out.end);
  }
}
