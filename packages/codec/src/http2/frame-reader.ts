/**
 * Cuts bytes into frames, wherever reads cut them (RFC 9113 §4.1). DATA passes through piece by piece without a copy; of every other frame the
 * payload is given whole, from the caller's buffer when it is whole there, else from a copy of at most MAX_FRAME_SIZE bytes.
 *
 * | phase   | reads                    | says                                     |
 * | ------- | ------------------------ | ---------------------------------------- |
 * | preface | the client's 24 bytes    | FAILED when they differ                  |
 * | header  | 9 bytes                  | FAILED when the frame is too large       |
 * | pad     | DATA's pad length        | DATA_BEGIN                               |
 * | data    | bytes of DATA            | DATA_PIECE                               |
 * | padding | skips                    | DATA_END                                 |
 * | payload | any other frame          | FRAME                                    |
 */
import { Http2ErrorCode } from "./error-codes.ts";
import { CLIENT_PREFACE, Flag, FRAME_HEADER_SIZE, FrameType, MAX_FRAME_SIZE, readUint31 } from "./frames.ts";

export const NEED_MORE = 0;
export const FRAME = 1;
export const DATA_BEGIN = 2;
export const DATA_PIECE = 3;
export const DATA_END = 4;
export const FAILED = 5;

type Phase = "preface" | "header" | "pad" | "data" | "padding" | "payload";
const EMPTY: Buffer = Buffer.alloc(0);

export class FrameReader {
  type = 0;
  flags = 0;
  streamId = 0;
  /** Of the payload, with padding. */
  length = 0;
  /** Of DATA, without padding. */
  dataLength = 0;
  /** Where the payload or piece is. */
  source: Buffer = EMPTY;
  start = 0;
  end = 0;
  errorCode: number = Http2ErrorCode.protocolError;
  message = "";

  private phase: Phase;
  private buffer = EMPTY;
  private at = 0;
  private stop = 0;
  private carry = EMPTY;
  private carried = 0;
  private remaining = 0;
  private padding = 0;

  constructor(expectsPreface: boolean) {
    this.phase = expectsPreface ? "preface" : "header";
  }

  feed(buffer: Buffer, start: number, end: number): void {
    if (this.at === this.stop) {
      this.buffer = buffer;
      this.at = start;
      this.stop = end;
      return;
    }
    this.buffer = Buffer.concat([this.buffer.subarray(this.at, this.stop), buffer.subarray(start, end)]);
    this.at = 0;
    this.stop = this.buffer.length;
  }

  next(): number {
    for (;;) {
      const said = this.step();
      if (said >= 0) return said;
    }
  }

  /** One transition; -1: go on. */
  private step(): number {
    switch (this.phase) {
      case "preface":
        return this.stepPreface();
      case "header":
        return this.stepHeader();
      case "pad":
        if (this.at === this.stop) return this.needMore();
        this.padding = this.buffer[this.at++] ?? 0;
        if (this.padding >= this.length) return this.fail(Http2ErrorCode.protocolError, "padding is too long");
        return this.beginData(this.length - 1 - this.padding);
      case "data": {
        if (this.remaining === 0) {
          this.phase = "padding";
          return -1;
        }
        const available = this.stop - this.at;
        if (available === 0) return this.needMore();
        const taken = available < this.remaining ? available : this.remaining;
        this.source = this.buffer;
        this.start = this.at;
        this.end = this.at + taken;
        this.at += taken;
        this.remaining -= taken;
        return DATA_PIECE;
      }
      case "padding": {
        const skipped = Math.min(this.padding, this.stop - this.at);
        this.at += skipped;
        this.padding -= skipped;
        if (this.padding > 0) return this.needMore();
        this.phase = "header";
        return DATA_END;
      }
      case "payload":
        return this.stepPayload();
    }
  }

  private stepPreface(): number {
    while (this.carried < CLIENT_PREFACE.length) {
      if (this.at === this.stop) return this.needMore();
      if (this.buffer[this.at] !== CLIENT_PREFACE[this.carried])
        return this.fail(Http2ErrorCode.protocolError, "the connection preface is not HTTP/2's");
      this.at += 1;
      this.carried += 1;
    }
    this.carried = 0;
    this.phase = "header";
    return -1;
  }

  private stepHeader(): number {
    if (this.carried === 0 && this.stop - this.at >= FRAME_HEADER_SIZE) {
      this.readHeader(this.buffer, this.at);
      this.at += FRAME_HEADER_SIZE;
    } else {
      if (!this.collect(FRAME_HEADER_SIZE)) return this.needMore();
      this.readHeader(this.carry, 0);
    }
    if (this.length > MAX_FRAME_SIZE) return this.fail(Http2ErrorCode.frameSizeError, "a frame is too large");
    if (this.type !== FrameType.data) {
      this.phase = "payload";
      return -1;
    }
    this.padding = 0;
    if ((this.flags & Flag.padded) === 0) return this.beginData(this.length);
    if (this.length === 0) return this.fail(Http2ErrorCode.frameSizeError, "a padded frame has no pad length");
    this.phase = "pad";
    return -1;
  }

  private stepPayload(): number {
    const { length } = this;
    if (this.carried === 0 && this.stop - this.at >= length) {
      this.source = this.buffer;
      this.start = this.at;
      this.at += length;
    } else {
      if (!this.collect(length)) return this.needMore();
      this.source = this.carry;
      this.start = 0;
    }
    this.end = this.start + length;
    this.phase = "header";
    return FRAME;
  }

  private readHeader(buffer: Buffer, at: number): void {
    this.length = ((buffer[at] ?? 0) << 16) | ((buffer[at + 1] ?? 0) << 8) | (buffer[at + 2] ?? 0);
    this.type = buffer[at + 3] ?? 0;
    this.flags = buffer[at + 4] ?? 0;
    this.streamId = readUint31(buffer, at + 5);
  }

  private beginData(dataLength: number): number {
    this.dataLength = dataLength;
    this.remaining = dataLength;
    this.phase = "data";
    return DATA_BEGIN;
  }

  /** Copies until `size` bytes are in carry; then they are, and the next collection starts anew. */
  private collect(size: number): boolean {
    if (this.carry.length < size) {
      const grown = Buffer.allocUnsafeSlow(size <= 256 ? 256 : size);
      this.carry.copy(grown, 0, 0, this.carried);
      this.carry = grown;
    }
    const taken = Math.min(size - this.carried, this.stop - this.at);
    this.buffer.copy(this.carry, this.carried, this.at, this.at + taken);
    this.at += taken;
    this.carried += taken;
    if (this.carried < size) return false;
    this.carried = 0;
    return true;
  }

  /** Lets the caller's buffer go. */
  private needMore(): number {
    this.buffer = EMPTY;
    this.at = 0;
    this.stop = 0;
    return NEED_MORE;
  }

  private fail(code: number, message: string): number {
    this.errorCode = code;
    this.message = message;
    return FAILED;
  }
}
