/**
 * When a TCP connection is reported: opened as soon as its peer is known (or the first interval is over), bytes every interval and at the end,
 * closed once. So a connection that lives for days shows while it lives, and short ones carry the labels of their peer.
 */
import { type TimerOwner, type TimerWheel, WheelEntry } from "../io/timer-wheel.ts";
import type { TcpSession } from "../tcp-proxy.ts";

export interface TcpTelemetry {
  readonly intervalMs: number;
  onOpened(session: TcpSession): void;
  /** Bytes since the last report. */
  onBytes(session: TcpSession, sent: number, received: number): void;
  onClosed(session: TcpSession): void;
}

export class TcpReport implements TimerOwner {
  readonly #session: TcpSession;
  readonly #telemetry: TcpTelemetry;
  readonly #wheel: TimerWheel;
  readonly #timer: WheelEntry;
  #isOpened = false;
  #sent = 0;
  #received = 0;

  constructor(session: TcpSession, telemetry: TcpTelemetry, wheel: TimerWheel) {
    this.#session = session;
    this.#telemetry = telemetry;
    this.#wheel = wheel;
    this.#timer = new WheelEntry(this);
    wheel.arm(this.#timer, telemetry.intervalMs);
  }

  /** Source and destination are as well known as they ever will be. */
  onPeerKnown(): void {
    if (this.#isOpened) return;
    this.#isOpened = true;
    this.#telemetry.onOpened(this.#session);
  }

  onTimer(): void {
    // Nothing is known of a connection whose upstream is still being dialled.
    if (this.#isOpened || this.#session.isConnected) this.#report();
    this.#wheel.arm(this.#timer, this.#telemetry.intervalMs);
  }

  close(): void {
    this.#wheel.cancel(this.#timer);
    this.#report();
    this.#telemetry.onClosed(this.#session);
  }

  #report(): void {
    this.onPeerKnown();
    const { bytesSent, bytesReceived } = this.#session.state;
    this.#telemetry.onBytes(this.#session, bytesSent - this.#sent, bytesReceived - this.#received);
    this.#sent = bytesSent;
    this.#received = bytesReceived;
  }
}
