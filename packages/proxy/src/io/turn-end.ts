/**
 * The end of a turn of the event loop, when all sockets that were ready have been read: first everything that was written meanwhile goes out, then
 * what nobody waits for, statistics and log lines, is done for all requests that ended. One kind of work after the other runs from warm caches:
 * under load a request costs a quarter less (docs/performance.md). While little is to do there is nothing to gather, and waiting would only be late:
 * then a write goes out at once.
 */
import { systemClock } from "@argyle/core";

export interface TurnEndTarget {
  onTurnEnd(): void;
}

/** So many writes within so many milliseconds, and they are gathered; until turns hold less than so many on average. */
const BUSY_WRITES = 64;
const BUSY_MS = 6.4;
const BUSY_WRITES_A_TURN = 1.5;
const MEASURED_TURNS = 64;

let isBusy = false;
let quietWrites = 0;
let quietSince = 0;
let busyTurns = 0;
let busyWrites = 0;

const writes: TurnEndTarget[] = [];
const reports: TurnEndTarget[] = [];
let isEnding = false;

// hot: one immediate a turn for all connections of the process.
export function atTurnEnd(target: TurnEndTarget): void {
  if (writes.length === 0 && reports.length === 0) setImmediate(endTurn);
  writes.push(target);
}

/** Asked before each small write: whether it should wait for the end of the turn. */
export function gathersWrites(): boolean {
  if (isBusy) return true;
  quietWrites += 1;
  if (quietWrites < BUSY_WRITES) return false;
  const now = systemClock.monotonic();
  isBusy = now - quietSince < BUSY_MS;
  quietWrites = 0;
  quietSince = now;
  return isBusy;
}

/** After the writes of this turn; at once when none waits and few are expected. */
export function afterWrites(target: TurnEndTarget): void {
  if (!isBusy && writes.length === 0) {
    target.onTurnEnd();
    return;
  }
  if (writes.length === 0 && reports.length === 0) setImmediate(endTurn);
  reports.push(target);
}

/** Does it now: before a proxy closes its log. */
export function endTurn(): void {
  if (isEnding) return;
  isEnding = true;
  if (isBusy) measureTurn(writes.length);
  try {
    while (writes.length > 0 || reports.length > 0) {
      drain(writes);
      drain(reports);
    }
  } finally {
    isEnding = false;
    // One that throws does not take the others with it.
    if (writes.length > 0 || reports.length > 0) setImmediate(endTurn);
  }
}

function measureTurn(count: number): void {
  busyTurns += 1;
  busyWrites += count;
  if (busyTurns < MEASURED_TURNS) return;
  isBusy = busyWrites >= busyTurns * BUSY_WRITES_A_TURN;
  busyTurns = 0;
  busyWrites = 0;
}

/** With those that come meanwhile, as a stream does when its HTTP/2 connection writes. */
function drain(targets: TurnEndTarget[]): void {
  let done = 0;
  try {
    while (done < targets.length) targets[done++]?.onTurnEnd();
  } finally {
    if (done === targets.length) targets.length = 0;
    else targets.splice(0, done);
  }
}
