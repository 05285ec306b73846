/**
 * One hashed timer wheel for all streams and connections of a process: arming and cancelling are a few pointer writes, and one timer of the
 * runtime sleeps until the next tick that may have something to do: a proxy whose connections are idle wakes a few times a minute, not a hundred
 * times a second. Accuracy is one tick (10 ms), which is what a proxy's time-outs need.
 * https://dl.acm.org/doi/10.1145/41457.37504 (Varghese and Lauck, scheme 6)
 */
import type { Clock, Timer } from "@argyle/core";

export interface TimerOwner {
  onTimer(entry: WheelEntry): void;
}

/** Embed one per time-out in its owner; it may be armed again and again. */
export class WheelEntry {
  readonly owner: TimerOwner;
  deadlineMs = 0;
  slot = -1;
  previous: WheelEntry | undefined;
  next: WheelEntry | undefined;

  constructor(owner: TimerOwner) {
    this.owner = owner;
  }
}

export interface TimerWheel {
  /** Entries that wait. The sleep of the runtime's timer may outlast the last of them. */
  readonly armed: number;
  /** `now` is a reading of the monotonic clock that the caller has already, not older than this turn of the event loop. */
  arm(entry: WheelEntry, delayMs: number, now?: number): void;
  cancel(entry: WheelEntry): void;
  close(): void;
}

const TICK_MS = 10;
/** A power of two. */
const SLOTS = 1024;

export function createTimerWheel(clock: Clock): TimerWheel {
  const slots: (WheelEntry | undefined)[] = new Array<undefined>(SLOTS).fill(undefined);
  let armed = 0;
  /** The last tick whose slot was visited. */
  let lastTick = 0;
  let sleep: { readonly untilTick: number; readonly timer: Timer } | undefined;
  let isClosed = false;

  const unlink = (entry: WheelEntry) => {
    if (entry.slot === -1) return;
    if (entry.previous === undefined) slots[entry.slot] = entry.next;
    else entry.previous.next = entry.next;
    if (entry.next !== undefined) entry.next.previous = entry.previous;
    entry.previous = undefined;
    entry.next = undefined;
    entry.slot = -1;
    armed -= 1;
  };
  const link = (entry: WheelEntry) => {
    const slot = Math.ceil(entry.deadlineMs / TICK_MS) % SLOTS;
    const head = slots[slot];
    entry.slot = slot;
    entry.next = head;
    entry.previous = undefined;
    if (head !== undefined) head.previous = entry;
    slots[slot] = entry;
    armed += 1;
  };
  const tick = () => {
    sleep = undefined;
    const now = clock.monotonic();
    const target = Math.floor(now / TICK_MS);
    // After a long pause every slot is visited once, never more.
    for (let t = Math.max(lastTick + 1, target - SLOTS + 1); t <= target; t++) {
      let entry = slots[t % SLOTS];
      while (entry !== undefined) {
        const next: WheelEntry | undefined = entry.next;
        if (entry.deadlineMs <= now) {
          unlink(entry);
          entry.owner.onTimer(entry);
          // The callback may have changed the list: start over at its head, what is left is later or due.
          entry = slots[t % SLOTS];
          while (entry !== undefined && entry.deadlineMs > now) entry = entry.next;
        } else entry = next;
      }
    }
    lastTick = target;
    sleepToNext(now);
  };
  /** The slot of a deadline that is several turns of the wheel away is visited once in each. */
  const sleepToNext = (now: number) => {
    if (armed === 0) return;
    let next = lastTick + 1;
    while (next < lastTick + SLOTS && slots[next % SLOTS] === undefined) next += 1;
    sleepUntil(next, now);
  };
  const sleepUntil = (untilTick: number, now: number) => {
    if (isClosed || (sleep !== undefined && sleep.untilTick <= untilTick)) return;
    sleep?.timer.cancel();
    sleep = { untilTick, timer: clock.after(Math.max(1, untilTick * TICK_MS - now), tick, { unref: true }) };
  };
  return {
    get armed() {
      return armed;
    },
    arm(entry, delayMs, now = clock.monotonic()) {
      unlink(entry);
      if (armed === 0) lastTick = Math.floor(now / TICK_MS) - 1;
      entry.deadlineMs = now + delayMs;
      link(entry);
      sleepUntil(lastTick + 1 + ((entry.slot - lastTick - 1) & (SLOTS - 1)), now);
    },
    cancel: unlink,
    close() {
      isClosed = true;
      sleep?.timer.cancel();
      slots.fill(undefined);
    },
  };
}
