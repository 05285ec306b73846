/** What is ordered: the four links of a request, followed, checked and added up. Nothing has been promised or paid yet. */
import { randomBytes, randomUUID } from "node:crypto";
import { call, HttpError } from "@sock-shop/kit";
import { objectOf, parse, reach } from "./answers.ts";
import type { Order, OrderItem } from "./store.ts";

export interface OrderLinks {
  readonly customer: string;
  readonly address: string;
  readonly card: string;
  readonly items: string;
}

const SHIPPING_COST = 4.99;

export async function gatherOrder(
  links: OrderLinks,
  timeoutMs: number,
  trace: Readonly<Record<string, string>>,
): Promise<Order> {
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
  const customerId = String(customer.id ?? "");
  return {
    id: randomBytes(12).toString("hex"),
    customerId,
    customer,
    address,
    card,
    items,
    shipment: { id: randomUUID(), name: customerId },
    date: new Date().toISOString(),
    total: totalOf(items),
  };
}

/** Σ quantity · price + shipping, in whole cents so that no binary fraction creeps in. */
function totalOf(items: readonly OrderItem[]): number {
  const cents = items.reduce(
    (sum, item) => sum + item.quantity * Math.round(item.unitPrice * 100),
    Math.round(SHIPPING_COST * 100),
  );
  return cents / 100;
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
