/**
 * The shopping journey of the original's load test: look at the catalogue, pick a sock, home page, log in, category, detail, empty the cart, put the
 * sock in, look at the basket, order. A generator of steps: it says what to send, whoever runs it says when, and hands back the answer.
 */
import type { Reply } from "./visitor.ts";

export interface Step {
  readonly method: string;
  readonly path: string;
  /** What the endpoint is called in the statistics: without ids. */
  readonly name: string;
  readonly json?: object;
  /** `user:password`. */
  readonly basic?: string;
}

/** Undefined when there was no answer. */
export type Journey = Generator<Step, void, Reply | undefined>;

export interface Account {
  readonly username: string;
  readonly password: string;
  /** Known only of accounts that were registered here. */
  readonly id?: string;
}

const step = (method: string, path: string, more: Omit<Step, "method" | "path" | "name"> = {}): Step => ({
  method,
  path,
  name: `${method} ${path}`,
  ...more,
});

export function* shop(account: Account, pick: (count: number) => number): Journey {
  const ids = readIds(yield step("GET", "/catalogue"));
  const id = ids[pick(ids.length)];
  yield step("GET", "/");
  yield step("GET", "/login", { basic: `${account.username}:${account.password}` });
  yield step("GET", "/category.html");
  // Without a catalogue there is nothing to look at or to buy; the next journey tries again.
  if (id === undefined) return;
  yield { ...step("GET", "/detail.html"), path: `/detail.html?id=${encodeURIComponent(id)}` };
  yield step("DELETE", "/cart");
  yield step("POST", "/cart", { json: { id, quantity: 1 } });
  yield step("GET", "/basket.html");
  yield step("POST", "/orders");
}

const ADDRESS = { street: "Load Lane", number: "1", city: "Glasgow", postcode: "G1 1AA", country: "United Kingdom" };
const CARD = { longNum: "5544154011345918", expires: "08/29", ccv: "958" };

/** Registers; `onAccount` is told the account when the shop has it, with an address and a card. */
export function* register(username: string, password: string, onAccount: (account: Account) => void): Journey {
  const answer = yield step("POST", "/register", {
    json: { username, password, firstName: "Load", lastName: "Test", email: "load@example.com" },
  });
  const { id } = readObject(answer);
  if (typeof id !== "string") return;
  const address = yield step("POST", "/addresses", { json: ADDRESS });
  const card = yield step("POST", "/cards", { json: CARD });
  if (address?.status === 200 && card?.status === 200) onAccount({ username, password, id });
}

export function* leave({ username, password, id }: Account): Journey {
  if (id === undefined) return;
  yield step("GET", "/login", { basic: `${username}:${password}` });
  yield { ...step("DELETE", "/customers/:id"), path: `/customers/${encodeURIComponent(id)}` };
}

function readIds(reply: Reply | undefined): readonly string[] {
  const list = readJson(reply);
  if (!Array.isArray(list)) return [];
  return list.flatMap((sock: unknown) =>
    typeof sock === "object" && sock !== null && "id" in sock && typeof sock.id === "string" ? [sock.id] : [],
  );
}

function readObject(reply: Reply | undefined): Readonly<Record<string, unknown>> {
  const value = readJson(reply);
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function readJson(reply: Reply | undefined): unknown {
  if (reply === undefined || reply.status >= 300) return undefined;
  try {
    return JSON.parse(reply.body);
  } catch {
    return undefined;
  }
}
