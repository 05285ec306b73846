/**
 * The customers: started at the spawn rate, each with a schedule of its own. A request's place in the schedule follows from the place of the one before,
 * never from when an answer came; one that begins late because the one before was slow is measured from its place. Customers who are more than
 * MAX_BEHIND_MS late give requests up, counted as failed, so that a shop that was away is not buried when it is back.
 */
import { type Account, type Journey, leave, register, type Step, shop } from "./journey.ts";
import type { LoadOptions } from "./options.ts";
import type { Statistics } from "./statistics.ts";
import { createVisitor, type Visitor } from "./visitor.ts";

export interface Swarm {
  users(): number;
  /** More or fewer customers, from now on. */
  resize(users: number, spawnRate: number): void;
  /** Resolves when a bound of the options is reached. */
  readonly done: Promise<void>;
  /** Lets requests in flight end, and the registered accounts be deleted. */
  stop(): Promise<void>;
}

export type SwarmOptions = Pick<
  LoadOptions,
  "host" | "users" | "spawnRate" | "thinkMs" | "runTimeMs" | "maxRequests" | "timeoutMs" | "account"
>;

interface Customer {
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

const MAX_BEHIND_MS = 60_000;

export function startSwarm(options: SwarmOptions, statistics: Statistics): Swarm {
  const { thinkMs, host, timeoutMs } = options;
  const now = () => performance.now();
  const run = Math.random().toString(36).slice(2, 8);
  const customers: Customer[] = [];
  const leaving = new Set<Promise<void>>();
  let [wanted, spawnRate] = [options.users, options.spawnRate];
  let nextNumber = 1;
  let requestsLeft = options.maxRequests ?? Number.POSITIVE_INFINITY;
  let spawnTimer: NodeJS.Timeout | undefined;
  let finish: () => void = () => undefined;
  const done = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const endTimer = options.runTimeMs === undefined ? undefined : setTimeout(() => finish(), options.runTimeMs);

  const shopUntil = async (signal: AbortSignal) => {
    const visitor = createVisitor(host, timeoutMs);
    let account: Account | undefined = options.account;
    let due = now();
    const walk = async (journey: Journey) => {
      let next = journey.next();
      while (next.done !== true && !signal.aborted) {
        if (requestsLeft <= 0) return;
        requestsLeft -= 1;
        await sleepUntil(due, signal);
        if (signal.aborted) return;
        // Without think time there is no schedule to be late for.
        if (thinkMs[1] === 0) due = now();
        const reply = now() - due > MAX_BEHIND_MS ? giveUp(next.value) : await measure(visitor, next.value, due);
        due += thinkMs[0] + Math.random() * (thinkMs[1] - thinkMs[0]);
        next = journey.next(reply);
      }
    };
    try {
      while (!signal.aborted && requestsLeft > 0) {
        visitor.forget();
        if (account === undefined) {
          // Always another name: one that was given up may have been registered all the same.
          await walk(
            register(`load-${run}-${nextNumber++}`, run, (registered) => {
              account = registered;
            }),
          );
          // Not in a tight loop.
          if (account === undefined) await sleepUntil(now() + 1000, signal);
        } else await walk(shop(account, (count) => Math.floor(Math.random() * count)));
      }
      if (requestsLeft <= 0) finish();
      if (account !== undefined) await clearUp(visitor, account);
    } finally {
      visitor.close();
    }
  };
  const giveUp = ({ name }: Step): undefined => {
    statistics.add({
      name,
      responseMs: MAX_BEHIND_MS,
      serviceMs: 0,
      failure: "given up: a minute behind its schedule",
    });
  };
  const measure = async (visitor: Visitor, step: Step, due: number) => {
    const sent = now();
    try {
      const reply = await visitor.send(step.method, step.path, step);
      const failure = reply.status < 400 ? undefined : `status ${reply.status}`;
      statistics.add({ name: step.name, responseMs: now() - due, serviceMs: now() - sent, failure });
      return reply;
    } catch (error) {
      const failure = error instanceof Error ? error.message : String(error);
      statistics.add({ name: step.name, responseMs: now() - due, serviceMs: now() - sent, failure });
      return undefined;
    }
  };

  const spawn = () => {
    spawnTimer = undefined;
    if (customers.length >= wanted) return;
    const stop = new AbortController();
    customers.push({ stop, ended: shopUntil(stop.signal) });
    spawnTimer = setTimeout(spawn, 1000 / spawnRate);
  };
  const dismiss = (count: number) => {
    for (const { stop, ended } of customers.splice(0, count)) {
      stop.abort();
      leaving.add(ended);
      void ended.finally(() => leaving.delete(ended));
    }
  };
  spawn();
  return {
    users: () => customers.length,
    done,
    resize(users, rate) {
      [wanted, spawnRate] = [users, rate];
      dismiss(Math.max(0, customers.length - users));
      if (spawnTimer === undefined) spawn();
    },
    async stop() {
      clearTimeout(spawnTimer);
      clearTimeout(endTimer);
      wanted = 0;
      dismiss(customers.length);
      await Promise.all(leaving);
    },
  };
}

/** Deletes what was registered; not measured, and a shop that is away keeps the account. */
async function clearUp(visitor: Visitor, account: Account): Promise<void> {
  for (const { method, path, ...more } of leave(account)) {
    try {
      await visitor.send(method, path, more);
    } catch {
      return;
    }
  }
}

function sleepUntil(due: number, signal: AbortSignal): Promise<void> {
  const ms = due - performance.now();
  if (ms <= 0) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}
