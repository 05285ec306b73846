/** Calls back once when the current turn of the event loop has read all its sockets: what many streams wrote meanwhile goes out with one write. */
export interface TurnEndTarget {
  onTurnEnd(): void;
}

const waiting: TurnEndTarget[] = [];

// hot: one immediate a turn for all connections of the process.
export function atTurnEnd(target: TurnEndTarget): void {
  if (waiting.length === 0) setImmediate(run);
  waiting.push(target);
}

function run(): void {
  let done = 0;
  try {
    // Those that come meanwhile, as a stream does when its HTTP/2 connection writes, have their turn at once.
    while (done < waiting.length) waiting[done++]?.onTurnEnd();
  } finally {
    // One that throws does not take the others with it.
    waiting.splice(0, done);
    if (waiting.length > 0) setImmediate(run);
  }
}
