/** The time-outs of one stream: its route (or the whole request while that is read), its longest duration, and a pause (fault delay, retry back-off). */
import { type TimerOwner, type TimerWheel, WheelEntry } from "../io/timer-wheel.ts";

export interface StreamTimersOwner {
  onRouteTimer(): void;
  onDurationTimer(): void;
}

export class StreamTimers implements TimerOwner {
  readonly #owner: StreamTimersOwner;
  readonly #wheel: TimerWheel;
  #route: WheelEntry | undefined;
  #duration: WheelEntry | undefined;
  #pause: WheelEntry | undefined;
  #afterPause: (() => void) | undefined;

  constructor(owner: StreamTimersOwner, wheel: TimerWheel) {
    this.#owner = owner;
    this.#wheel = wheel;
  }

  get isPausing(): boolean {
    return this.#afterPause !== undefined;
  }

  armRoute(timeoutMs: number, now: number): void {
    this.#route ??= new WheelEntry(this);
    this.#wheel.arm(this.#route, timeoutMs, now);
  }

  cancelRoute(): void {
    if (this.#route !== undefined) this.#wheel.cancel(this.#route);
  }

  armDuration(maxMs: number): void {
    this.#duration ??= new WheelEntry(this);
    this.#wheel.arm(this.#duration, maxMs);
  }

  pause(delayMs: number, then: () => void): void {
    this.#afterPause = then;
    this.#pause ??= new WheelEntry(this);
    this.#wheel.arm(this.#pause, delayMs);
  }

  forgetPause(): void {
    this.#afterPause = undefined;
  }

  cancelAll(): void {
    this.cancelRoute();
    if (this.#duration !== undefined) this.#wheel.cancel(this.#duration);
    if (this.#pause !== undefined) this.#wheel.cancel(this.#pause);
    this.#afterPause = undefined;
  }

  onTimer(entry: WheelEntry): void {
    if (entry === this.#duration) this.#owner.onDurationTimer();
    else if (entry === this.#route) this.#owner.onRouteTimer();
    else {
      const then = this.#afterPause;
      this.#afterPause = undefined;
      then?.();
    }
  }
}
