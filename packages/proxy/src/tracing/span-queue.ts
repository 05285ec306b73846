/**
 * Spans wait here for their collector: sent in batches, one at a time, when enough wait or the oldest has waited long enough. The queue is
 * bounded and a batch that fails is gone: tracing may lose spans, never slow a request. Everything lost is counted.
 */
import type { Span } from "@argyle/telemetry";
import { type TimerOwner, type TimerWheel, WheelEntry } from "../io/timer-wheel.ts";
import type { TracingStats } from "./tracing-stats.ts";

export type SendResult = "sent" | "no-cluster" | "rejected" | "failed";

export interface SpanQueueOptions {
  readonly wheel: TimerWheel;
  readonly stats: TracingStats;
  readonly send: (spans: readonly Span[], done: (result: SendResult) => void) => void;
}

const MAX_WAITING = 2000;
const BATCH_SPANS = 100;
const MAX_DELAY_MS = 1000;

export class SpanQueue implements TimerOwner {
  readonly #options: SpanQueueOptions;
  readonly #timer: WheelEntry;
  #waiting: Span[] = [];
  #isTimed = false;
  #isSending = false;
  #isClosed = false;

  constructor(options: SpanQueueOptions) {
    this.#options = options;
    this.#timer = new WheelEntry(this);
  }

  add(span: Span): void {
    const { stats, wheel } = this.#options;
    if (this.#isClosed || this.#waiting.length >= MAX_WAITING) {
      stats.spansDropped.add(1);
      return;
    }
    this.#waiting.push(span);
    if (this.#waiting.length >= BATCH_SPANS) this.#flush();
    else if (!this.#isTimed) {
      this.#isTimed = true;
      wheel.arm(this.#timer, MAX_DELAY_MS);
    }
  }

  onTimer(): void {
    this.#isTimed = false;
    this.#options.stats.timerFlushed.add(1);
    this.#flush();
  }

  close(): void {
    this.#isClosed = true;
    this.#options.wheel.cancel(this.#timer);
  }

  #flush(): void {
    if (this.#isSending || this.#waiting.length === 0) return;
    const { stats, wheel, send } = this.#options;
    const batch = this.#waiting.splice(0, BATCH_SPANS);
    this.#isSending = true;
    send(batch, (result) => {
      this.#isSending = false;
      stats.report(result, batch.length);
      if (this.#isClosed || this.#waiting.length === 0) return;
      if (this.#waiting.length >= BATCH_SPANS && result === "sent") this.#flush();
      else if (!this.#isTimed) {
        this.#isTimed = true;
        wheel.arm(this.#timer, MAX_DELAY_MS);
      }
    });
  }
}
