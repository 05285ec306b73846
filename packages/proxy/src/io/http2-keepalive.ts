/** connection_keepalive: a PING each interval; a connection whose answer does not come in time is given up. */
import type { KeepaliveConfig } from "../config/http2-config.ts";
import type { Http2Link } from "./http2-link.ts";
import { type TimerOwner, type TimerWheel, WheelEntry } from "./timer-wheel.ts";

export class Http2Keepalive implements TimerOwner {
  readonly #config: KeepaliveConfig;
  readonly #link: Http2Link;
  readonly #wheel: TimerWheel;
  readonly #onTimeout: () => void;
  readonly #timer: WheelEntry;
  #token = 0;
  #isWaiting = false;

  constructor(config: KeepaliveConfig, link: Http2Link, wheel: TimerWheel, onTimeout: () => void) {
    this.#config = config;
    this.#link = link;
    this.#wheel = wheel;
    this.#onTimeout = onTimeout;
    this.#timer = new WheelEntry(this);
    this.#rest();
  }

  onAck(token: number): void {
    if (!this.#isWaiting || token !== this.#token) return;
    this.#isWaiting = false;
    this.#rest();
  }

  stop(): void {
    this.#wheel.cancel(this.#timer);
  }

  onTimer(): void {
    if (this.#isWaiting) {
      this.#onTimeout();
      return;
    }
    this.#isWaiting = true;
    this.#token += 1;
    this.#link.codec.ping(this.#token);
    this.#link.schedule();
    if (this.#config.timeoutMs > 0) this.#wheel.arm(this.#timer, this.#config.timeoutMs);
  }

  #rest(): void {
    if (this.#config.intervalMs > 0) this.#wheel.arm(this.#timer, this.#config.intervalMs);
  }
}
