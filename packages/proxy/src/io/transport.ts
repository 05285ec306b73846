/**
 * A byte stream as the codecs see it, over net or TLS sockets. Reads go through one buffer that all connections share, so the bytes given to
 * onBytes are valid only during the call: whatever is kept or queued must be copied or turned into a string first.
 */
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { type DirectStream, type DirectStreamOwner, openDirectStream, SHARED_BUFFER } from "./direct-stream.ts";

export interface TransportHandler {
  onBytes(buffer: Buffer, start: number, end: number): void;
  /** The peer sent its end of stream. */
  onReadEnd(): void;
  onDrain(): void;
  /** Last call. `error` is the system error that broke the connection. */
  onClosed(error: Error | undefined): void;
}

/** Takes a connected socket whose `data` listeners have been removed again; what it has read meanwhile comes first. */
export class Transport implements DirectStreamOwner {
  readonly socket: Socket | TLSSocket;
  handler: TransportHandler | undefined;
  isClosed = false;
  isPaused = false;
  #error: Error | undefined;
  #isStarted = false;
  readonly #direct: DirectStream | undefined;

  constructor(socket: Socket | TLSSocket) {
    this.socket = socket;
    socket.setNoDelay?.(true);
    this.#direct = openDirectStream(socket, this);
    socket.on("error", (error) => {
      this.#error = error;
    });
    socket.on("end", () => this.handler?.onReadEnd());
    socket.on("drain", () => this.handler?.onDrain());
    socket.on("close", () => {
      if (this.isClosed) return;
      this.isClosed = true;
      this.handler?.onClosed(this.#error);
    });
  }

  /** Begins to read; `peeked` are bytes that were read before. */
  start(handler: TransportHandler, peeked?: Buffer): void {
    this.handler = handler;
    if (peeked !== undefined) this.#deliver(peeked);
    if (this.isClosed || this.#isStarted) return;
    this.#isStarted = true;
    if (this.#direct !== undefined) {
      const early = this.#direct.start(this.isPaused);
      if (early !== undefined) this.#deliver(early);
      return;
    }
    this.socket.on("data", (chunk: Buffer) => this.#deliver(chunk));
    if (!this.isPaused) this.socket.resume();
  }

  onDirectRead(length: number): void {
    if (!this.isClosed) this.handler?.onBytes(SHARED_BUFFER, 0, length);
  }

  onDirectDrain(): void {
    if (!this.isClosed) this.handler?.onDrain();
  }

  /** False when the peer is slower than we are: stop until onDrain. `data` must not change any more. */
  write(data: string | Buffer): boolean {
    if (this.isClosed || this.socket.destroyed) return true;
    if (this.#direct !== undefined) return this.#direct.write(data);
    return typeof data === "string" ? this.socket.write(data, "latin1") : this.socket.write(data);
  }

  pause(): void {
    if (this.isPaused) return;
    this.isPaused = true;
    if (!this.#isStarted) return;
    if (this.#direct !== undefined) this.#direct.pause();
    else this.socket.pause();
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    if (!this.#isStarted) return;
    if (this.#direct !== undefined) this.#direct.resume();
    else this.socket.resume();
  }

  /** Bytes wait to be written: destroy() would lose them. */
  get hasUnsentBytes(): boolean {
    return this.#direct?.hasUnsentBytes ?? this.socket.writableLength > 0;
  }

  end(): void {
    if (this.isClosed) return;
    if (this.#direct !== undefined) this.#direct.end();
    else this.socket.end();
  }

  /** Closes when everything is written. */
  endAndClose(): void {
    if (this.isClosed) return;
    if (this.#direct !== undefined) this.#direct.endAndClose();
    else this.socket.destroySoon();
  }

  /** Closes without telling the handler; what the kernel has not taken is lost. */
  destroy(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.handler = undefined;
    this.#direct?.flush();
    this.socket.destroy();
  }

  #deliver(bytes: Buffer): void {
    if (!this.isClosed && bytes.length > 0) this.handler?.onBytes(bytes, 0, bytes.length);
  }
}
