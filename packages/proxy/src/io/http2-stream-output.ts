/**
 * What one HTTP/2 stream still has to send: pieces that the peer's windows or the connection's output had no room for, and the end behind them.
 * Bounded by its source, which stops when write() says false until onOutputRoom.
 */
import type { HeaderBlock } from "@argyle/codec";
import type { Http2Link } from "./http2-link.ts";

export interface Http2OutputOwner {
  /** Everything was sent, and more may come. */
  onOutputRoom(): void;
  /** The end of the stream was sent. */
  onOutputEnded(): void;
}

const NO_PIECES: Buffer[] = [];

export class Http2StreamOutput {
  readonly #link: Http2Link;
  readonly #owner: Http2OutputOwner;
  readonly #id: number;
  #pieces = NO_PIECES;
  #isEnding = false;
  #isEnded = false;
  #trailers: HeaderBlock | undefined;

  constructor(link: Http2Link, id: number, owner: Http2OutputOwner) {
    this.#link = link;
    this.#id = id;
    this.#owner = owner;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  get isRoomy(): boolean {
    return this.#pieces.length === 0;
  }

  /** False: stop until onOutputRoom. Bytes are copied. */
  write(buffer: Buffer, start: number, end: number): boolean {
    const link = this.#link;
    let at = start;
    if (this.#pieces.length === 0) {
      if (!link.isFull) {
        at += link.codec.sendBody(this.#id, buffer, start, end);
        link.schedule();
        if (at === end) return true;
      } else link.block(this);
      this.#pieces = [];
    }
    this.#pieces.push(Buffer.from(buffer.subarray(at, end)));
    return false;
  }

  end(trailers: HeaderBlock | undefined): void {
    this.#isEnding = true;
    this.#trailers = trailers;
    if (this.#pieces.length === 0) this.#finish();
  }

  /** The peer's window opened, or the connection has room again. */
  resume(): void {
    const { codec } = this.#link;
    const pieces = this.#pieces;
    this.#link.schedule();
    for (let first = pieces[0]; first !== undefined; first = pieces[0]) {
      if (this.#link.isFull) {
        this.#link.block(this);
        return;
      }
      const taken = codec.sendBody(this.#id, first, 0, first.length);
      if (taken < first.length) {
        pieces[0] = first.subarray(taken);
        return;
      }
      pieces.shift();
    }
    this.#pieces = NO_PIECES;
    if (this.#isEnding) this.#finish();
    else this.#owner.onOutputRoom();
  }

  /** The stream is gone. */
  drop(): void {
    this.#isEnded = true;
    this.#pieces = NO_PIECES;
    this.#link.forget(this);
  }

  #finish(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const { codec } = this.#link;
    if (this.#trailers === undefined) codec.endStream(this.#id);
    else codec.sendTrailers(this.#id, this.#trailers);
    this.#link.schedule();
    this.#owner.onOutputEnded();
  }
}
