/** Calls back once when the current turn of the event loop has read all its sockets: what many streams wrote meanwhile goes out with one write. */
export interface TurnEndTarget {
  onTurnEnd(): void;
}

let waiting: TurnEndTarget[] = [];
let spare: TurnEndTarget[] = [];

// hot: one immediate a turn for all connections of the process.
export function atTurnEnd(target: TurnEndTarget): void {
  if (waiting.length === 0) setImmediate(run);
  waiting.push(target);
}

function run(): void {
  const due = waiting;
  waiting = spare;
  spare = due;
  for (let i = 0; i < due.length; i += 1) due[i]?.onTurnEnd();
  due.length = 0;
}
