/**
 * Joins a sans-io HTTP/2 connection to its socket: output is gathered over a turn of the event loop and written at once, and only while the
 * socket is drained, so that what a slow peer does not take stays in the codec's budgets. Streams whose output must wait for room queue here.
 */
import type { Http2Connection } from "@argyle/codec";
import type { Http2StreamOutput } from "./http2-stream-output.ts";
import type { Transport } from "./transport.ts";
import { atTurnEnd, type TurnEndTarget } from "./turn-end.ts";

/** Beyond it bodies wait in their streams, whatever the peer's windows allow. */
const MAX_OUTPUT_BYTES = 128 * 1024;

export class Http2Link implements TurnEndTarget {
  readonly codec: Http2Connection<unknown>;
  readonly transport: Transport;
  readonly #onSent: ((bytes: number) => void) | undefined;
  readonly #blocked = new Set<Http2StreamOutput>();
  #isScheduled = false;
  #needsDrain = false;

  constructor(codec: Http2Connection<unknown>, transport: Transport, onSent?: (bytes: number) => void) {
    this.codec = codec;
    this.transport = transport;
    this.#onSent = onSent;
  }

  get isFull(): boolean {
    return this.codec.outputLength >= MAX_OUTPUT_BYTES;
  }

  /** Something was commanded: it goes out at the end of the turn. */
  schedule(): void {
    if (this.#isScheduled || this.#needsDrain) return;
    this.#isScheduled = true;
    atTurnEnd(this);
  }

  onTurnEnd(): void {
    this.#isScheduled = false;
    this.flush();
  }

  flush(): void {
    if (this.#needsDrain || this.transport.isClosed) return;
    if (this.codec.hasOutput) this.#write();
    if (this.#blocked.size === 0 || this.#needsDrain) return;
    this.#unblock();
    this.schedule();
  }

  onDrain(): void {
    this.#needsDrain = false;
    this.flush();
  }

  /** The last words, whether the socket is drained or not. */
  writeAll(): void {
    if (this.codec.hasOutput && !this.transport.isClosed) this.#write();
  }

  block(output: Http2StreamOutput): void {
    this.#blocked.add(output);
  }

  forget(output: Http2StreamOutput): void {
    this.#blocked.delete(output);
  }

  #write(): void {
    const bytes = this.codec.takeOutput();
    this.#onSent?.(bytes.length);
    this.#needsDrain = !this.transport.write(bytes);
  }

  #unblock(): void {
    for (const output of [...this.#blocked]) {
      if (this.isFull) return;
      this.#blocked.delete(output);
      output.resume();
    }
  }
}
