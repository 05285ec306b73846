/**
 * Customers who check out again and again while parts of the shop die. It keeps what the shop has promised (201) and what it refused; shop-books.ts compares
 * that with what the shop has written down.
 */
import { setTimeout as delay } from "node:timers/promises";
import { centsOf, createShopper, type ShopOrder, type Shopper } from "./shopper.ts";

export interface CheckoutLoad {
  readonly customers: number;
  /** Checkouts that were acknowledged so far. */
  acknowledged(): number;
  /** Errors since the last call, `status of step` to count. */
  takeErrors(): Readonly<Record<string, number>>;
  /** Lets every customer finish the request in hand. */
  stop(): Promise<readonly CustomerRecord[]>;
}

export interface CustomerRecord {
  readonly shopper: Shopper;
  readonly id: string;
  /** How often `POST /orders` was sent. */
  readonly attempts: number;
  readonly promised: readonly Promise201[];
}

export interface Promise201 {
  readonly order: ShopOrder;
  readonly itemId: string;
  readonly quantity: number;
}

const AFTER_ERROR_MS = 50;
/** Payment declines more than 105. */
const MAX_PRICE = 20;

export async function startCheckouts(gateway: string, customers: number): Promise<CheckoutLoad> {
  const guest = createShopper(gateway);
  const socks = (await guest.socks()).filter(({ price }) => price <= MAX_PRICE);
  guest.close();
  const run = Math.random().toString(36).slice(2, 8);
  let isStopped = false;
  let acknowledged = 0;
  let errors: Record<string, number> = {};
  const isDone = async (step: string, wanted: number, work: ReturnType<Shopper["ask"]>) => {
    const answer = await work.catch((error: unknown) => ({ status: String(error), body: "" }));
    if (answer.status === wanted) return answer.body;
    errors[`${answer.status} ${step}`] = (errors[`${answer.status} ${step}`] ?? 0) + 1;
    await delay(AFTER_ERROR_MS);
    return undefined;
  };
  const shoppers = await Promise.all(
    Array.from({ length: customers }, async (_, i) => {
      const shopper = createShopper(gateway);
      return { shopper, id: await shopper.register(`load-${run}-${i}`) };
    }),
  );
  const lives = shoppers.map(async ({ shopper, id }, customer): Promise<CustomerRecord> => {
    const promised: Promise201[] = [];
    let attempts = 0;
    for (let lap = customer; !isStopped; lap++) {
      const sock = socks[lap % socks.length];
      if (sock === undefined) throw new Error("the catalogue has no cheap socks");
      const quantity = 1 + (lap % 3);
      if ((await isDone("DELETE /cart", 202, shopper.ask("DELETE", "/cart"))) === undefined) continue;
      const line = { id: sock.id, quantity };
      if ((await isDone("POST /cart", 201, shopper.ask("POST", "/cart", line))) === undefined) continue;
      attempts += 1;
      const body = await isDone("POST /orders", 201, shopper.ask("POST", "/orders"));
      if (body === undefined) continue;
      acknowledged += 1;
      promised.push({ order: JSON.parse(body) as ShopOrder, itemId: sock.id, quantity });
    }
    return { shopper, id, attempts, promised };
  });
  return {
    customers,
    acknowledged: () => acknowledged,
    takeErrors() {
      const taken = errors;
      errors = {};
      return taken;
    },
    stop() {
      isStopped = true;
      return Promise.all(lives);
    },
  };
}

/** What is wrong with a customer's own list of orders: empty when every promise is kept. */
export function compareOrders(
  { id, attempts, promised }: CustomerRecord,
  listed: readonly ShopOrder[],
  prices: ReadonlyMap<string, number>,
): readonly string[] {
  const problems: string[] = [];
  const byId = new Map(listed.map((order) => [order.id, order]));
  if (byId.size !== listed.length) problems.push(`${id}: an order is listed twice`);
  if (listed.length > attempts) problems.push(`${id}: ${listed.length} orders of ${attempts} checkouts`);
  for (const { order, itemId, quantity } of promised) {
    if (byId.get(order.id)?.total !== order.total)
      problems.push(`${id}: order ${order.id} was acknowledged and is gone`);
    const bought = order.items.map((item) => `${item.quantity} × ${item.itemId}`).join(", ");
    if (bought !== `${quantity} × ${itemId}`)
      problems.push(`${id}: wanted ${quantity} × ${itemId}, order ${order.id} has ${bought}`);
  }
  for (const { id: orderId, items, total } of listed) {
    if (Math.round(total * 100) !== centsOf(items)) problems.push(`${id}: order ${orderId} says ${total}`);
    for (const item of items) {
      if (prices.get(item.itemId) !== item.unitPrice)
        problems.push(`${id}: order ${orderId} has ${item.itemId} for ${item.unitPrice}`);
    }
  }
  return problems;
}
