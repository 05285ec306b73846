/**
 * From a gathered order to one that stands: pending (kept, before anybody is asked for money) → paid → placed. Whoever dies on the way leaves a step that
 * is taken up again: an order that stayed pending is cancelled and its payment taken back, one that is paid is shipped. So there is no payment without
 * an order and no order that is paid twice; a shipment may be asked for twice, with the same id.
 */
import { setTimeout as delay } from "node:timers/promises";
import { createLogLine, HttpError } from "@sock-shop/kit";
import { gatherOrder, type OrderLinks } from "./gather-order.ts";
import { createPeers, type PeerAddresses, type Peers } from "./peers.ts";
import type { Order, OrderSteps } from "./store.ts";

export interface Checkout {
  /** Throws HttpError: 406 what the customer can mend, 500 what the shop has to; in both cases nothing is paid in the end. */
  place(links: OrderLinks, trace: Readonly<Record<string, string>>): Promise<Order>;
  /** Takes up what was left in the middle. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

export interface CheckoutOptions extends PeerAddresses {
  /** Each call's deadline; default 5 s, as the original's. */
  readonly timeoutMs?: number;
  /** A step this old has nobody who works on it. More than a payment and the patience with the database may take. */
  readonly abandonedAfterMs?: number;
  readonly settleEveryMs?: number;
  readonly log?: (line: string) => void;
}

const DEFAULT_TIMEOUT_MS = 5000;
const DEFAULT_ABANDONED_MS = 15_000;
const DEFAULT_SETTLE_MS = 2000;
/** How long a paid order waits for a database that is being restarted. */
const DATABASE_PATIENCE_MS = 8000;
const AGAIN_AFTER_MS = 100;

export function createCheckout(steps: OrderSteps, options: CheckoutOptions): Checkout {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, abandonedAfterMs = DEFAULT_ABANDONED_MS } = options;
  const log = options.log ?? ((line: string) => void process.stdout.write(line));
  const peers = createPeers(options, timeoutMs);
  const warn = (msg: string, id: string) => (error: unknown) =>
    log(createLogLine("warn", msg, { id, why: error instanceof Error ? error.message : String(error) }));
  let isClosing = false;
  let settling: Promise<void> | undefined;

  const settle = () => {
    settling ??= settleAll(steps, peers, abandonedAfterMs, warn).finally(() => {
      settling = undefined;
    });
    return settling;
  };
  const settleSoon = () => void settle().catch(warn("unfinished orders are not known", ""));
  const timer = setInterval(settleSoon, options.settleEveryMs ?? DEFAULT_SETTLE_MS);

  const persistPaid = async (id: string): Promise<boolean> => {
    const deadline = performance.now() + DATABASE_PATIENCE_MS;
    for (;;) {
      try {
        return await steps.advance(id, ["pending", "paid"], "paid");
      } catch (error) {
        if (isClosing || performance.now() > deadline) throw error;
        await delay(AGAIN_AFTER_MS);
      }
    }
  };
  const pay = async (order: Order, trace: Readonly<Record<string, string>>) => {
    const verdict = await peers.pay(order, trace).catch(async (error: unknown) => {
      await steps.advance(order.id, ["pending"], "cancelled").catch(warn("stays pending", order.id));
      settleSoon();
      throw error;
    });
    if (verdict.isAuthorised) return;
    await steps.drop(order.id).catch(warn("stays pending", order.id));
    throw new HttpError(406, verdict.message);
  };
  return {
    async place(links, trace) {
      const order = await gatherOrder(links, timeoutMs, trace);
      await steps.begin(order);
      await pay(order, trace);
      if (!(await persistPaid(order.id))) {
        // Cancelled meanwhile, or gone with the database.
        await peers.takeBack(order.id);
        throw new HttpError(500, "the order was cancelled, it took too long");
      }
      // The order stands from here on: the customer is told so, whatever shipping says.
      try {
        await peers.ship(order, trace);
        await steps.advance(order.id, ["paid"], "placed");
      } catch (error) {
        warn("the shipment is asked for again later", order.id)(error);
      }
      return order;
    },
    settle,
    async close() {
      isClosing = true;
      clearInterval(timer);
      await settling?.catch(() => undefined);
    },
  };
}

async function settleAll(
  steps: OrderSteps,
  peers: Peers,
  abandonedAfterMs: number,
  warn: (msg: string, id: string) => (error: unknown) => void,
): Promise<void> {
  for (const { order, step } of await steps.unfinished(abandonedAfterMs)) {
    try {
      if (step === "paid") {
        await peers.ship(order, {});
        await steps.advance(order.id, ["paid"], "placed");
      } else if (await steps.advance(order.id, ["pending", "cancelled"], "cancelled")) {
        await peers.takeBack(order.id);
        await steps.drop(order.id);
      }
    } catch (error) {
      warn(
        step === "paid" ? "the shipment is asked for again later" : "the payment is taken back later",
        order.id,
      )(error);
    }
  }
}
