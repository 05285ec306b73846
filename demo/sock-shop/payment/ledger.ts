/**
 * What was decided for each payment key, so that a question that is asked again gets the first answer and nobody is charged twice. Kept in a file where
 * there is one: a line each, written before the answer goes out, so that it holds after kill -9. The oldest keys are forgotten beyond `capacity`.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

export interface Payment {
  readonly amount: number;
  readonly state: "authorised" | "declined" | "voided";
}

export interface Ledger {
  find(key: string): Payment | undefined;
  record(key: string, payment: Payment): void;
  close(): void;
}

const DEFAULT_CAPACITY = 100_000;

export function openLedger(path: string | undefined, capacity = DEFAULT_CAPACITY): Ledger {
  const payments = new Map<string, Payment>();
  const remember = (key: string, payment: Payment) => {
    // Set anew, so that the order of the map is the order of the last decisions.
    payments.delete(key);
    payments.set(key, payment);
    const oldest = payments.keys().next();
    if (payments.size > capacity && oldest.done !== true) payments.delete(oldest.value);
  };
  if (path === undefined) return { find: (key) => payments.get(key), record: remember, close: () => undefined };

  mkdirSync(dirname(path), { recursive: true });
  for (const line of existsSync(path) ? readFileSync(path, "utf8").split("\n") : []) {
    const [key, amount, state] = line.split(" ");
    // The last line may be torn: it was never answered.
    if (key === undefined || !isState(state)) continue;
    remember(key, { amount: Number(amount), state });
  }
  const fresh = `${path}.new`;
  writeFileSync(fresh, [...payments].map(([key, payment]) => formatLine(key, payment)).join(""));
  renameSync(fresh, path);
  const file = openSync(path, "a");
  return {
    find: (key) => payments.get(key),
    record(key, payment) {
      writeSync(file, formatLine(key, payment));
      remember(key, payment);
    },
    close: () => closeSync(file),
  };
}

function formatLine(key: string, { amount, state }: Payment): string {
  return `${key} ${amount} ${state}\n`;
}

function isState(text: string | undefined): text is Payment["state"] {
  return text === "authorised" || text === "declined" || text === "voided";
}
