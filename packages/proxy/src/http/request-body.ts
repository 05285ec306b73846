/**
 * The part of a request body that must be kept: what came before a connection was there, and all of it while a retry may need it again.
 * Beyond the listener's buffer limit a retry is given up rather than memory.
 */
import type { UpstreamSide } from "../upstream/upstream-side.ts";

export class RequestBody {
  /** A retry may need everything: pieces stay after they were sent. */
  isRetained = false;
  bytes = 0;
  #pieces: Buffer[] = [];

  keep(buffer: Buffer, start: number, end: number): void {
    this.#pieces.push(Buffer.from(buffer.subarray(start, end)));
    this.bytes += end - start;
  }

  replay(connection: UpstreamSide): void {
    for (const piece of this.#pieces) connection.writeBody(piece, 0, piece.length);
    if (!this.isRetained) this.drop();
  }

  drop(): void {
    this.isRetained = false;
    this.bytes = 0;
    this.#pieces = [];
  }
}
