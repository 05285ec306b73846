/**
 * Placing an order: fetch what the four links mean, add up, ask payment, ask shipping, keep the order. Payment is asked once and never
 * again for the same order; whatever fails after it was authorised is said to the customer as a failure of the shop (500), not as a decline.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { call, HttpError } from "@sock-shop/kit";
import type { Order, OrderItem } from "./store.ts";

export interface OrderLinks {
  readonly customer: string;
  readonly address: string;
  readonly card: string;
  readonly items: string;
}

export interface OrderPeers {
  readonly paymentUrl: string;
  readonly shippingUrl: string;
  /** Each call's deadline; default 5 s, as the original's. */
  readonly timeoutMs?: number;
}

const SHIPPING_COST = 4.99;
const DEFAULT_TIMEOUT_MS = 5000;

export async function placeOrder(
  links: OrderLinks,
  peers: OrderPeers,
  trace: Readonly<Record<string, string>>,
): Promise<Order> {
  const timeoutMs = peers.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const fetchJson = async (what: string, url: string) => {
    const answer = await reach(what, () =>
      call(url, { headers: { ...trace, accept: "application/json, application/hal+json" }, timeoutMs }),
    );
    if (answer.status === 404) throw new HttpError(406, `the order's ${what} does not exist`);
    if (answer.status !== 200) throw new HttpError(500, `${what}: ${url} answered ${answer.status}`);
    return parse(what, answer.body);
  };
  const [customer, address, card, items] = await Promise.all([
    fetchJson("customer", links.customer).then(objectOf("customer")),
    fetchJson("address", links.address).then(objectOf("address")),
    fetchJson("card", links.card).then(objectOf("card")),
    fetchJson("items", links.items).then(itemsOf),
  ]);
  if (items.length === 0) throw new HttpError(406, "there is nothing in the cart");
  const total = totalOf(items);

  const post = (what: string, url: string, body: object) =>
    reach(what, () =>
      call(url, {
        method: "POST",
        headers: { ...trace, "content-type": "application/json" },
        body: JSON.stringify(body),
        timeoutMs,
      }),
    );
  const payment = await post("payment", peers.paymentUrl, { address, card, customer, amount: total });
  if (payment.status !== 200) throw new HttpError(500, `payment answered ${payment.status}`);
  const verdict = objectOf("payment")(parse("payment", payment.body));
  if (verdict.authorised !== true) throw new HttpError(406, String(verdict.message ?? "Payment declined"));

  const customerId = String(customer.id ?? "");
  const shipment = { id: randomUUID(), name: customerId };
  const shipping = await post("shipping", peers.shippingUrl, shipment);
  if (shipping.status !== 201) throw new HttpError(500, `shipping answered ${shipping.status}`);
  return {
    id: randomBytes(12).toString("hex"),
    customerId,
    customer,
    address,
    card,
    items,
    shipment,
    date: new Date().toISOString(),
    total,
  };
}

/** Σ quantity · price + shipping, in whole cents so that no binary fraction creeps in. */
export function totalOf(items: readonly OrderItem[]): number {
  const cents = items.reduce(
    (sum, item) => sum + item.quantity * Math.round(item.unitPrice * 100),
    Math.round(SHIPPING_COST * 100),
  );
  return cents / 100;
}

async function reach<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new HttpError(500, `${what} does not answer`, cause);
  }
}

function parse(what: string, body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (cause) {
    throw new HttpError(500, `${what} did not answer with JSON`, cause);
  }
}

function objectOf(what: string): (value: unknown) => Readonly<Record<string, unknown>> {
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new HttpError(500, `${what} has an unexpected form`);
    return value as Readonly<Record<string, unknown>>;
  };
}

function itemsOf(value: unknown): readonly OrderItem[] {
  if (!Array.isArray(value)) throw new HttpError(500, "items have an unexpected form");
  return value.map(objectOf("item")).map((item) => {
    const quantity = Number(item.quantity);
    const unitPrice = Number(item.unitPrice);
    if (!Number.isSafeInteger(quantity) || quantity < 1 || !Number.isFinite(unitPrice) || unitPrice < 0) {
      throw new HttpError(500, "an item has an unexpected form");
    }
    return { id: String(item.id), itemId: String(item.itemId), quantity, unitPrice };
  });
}
