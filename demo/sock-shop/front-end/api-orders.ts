/** Orders: the customer's own, and a new one made of the four links that the orders service follows. */
import { createLogLine, HttpError, type Request, type Route } from "@sock-shop/kit";
import { embedded, type Json, maskCard, objectOf, selfLink } from "./answers.ts";
import { owned } from "./api-account.ts";
import type { Backend } from "./backend.ts";
import { readOptionalFields, readOptionalText } from "./bodies.ts";
import type { Carts } from "./carts.ts";
import type { Visits } from "./sessions/visits.ts";

export interface OrderDeps {
  readonly user: Backend;
  readonly orders: Backend;
  readonly cartsService: Backend;
  readonly carts: Carts;
  readonly visits: Visits;
  readonly log: (line: string) => void;
}

export function orderRoutes(deps: OrderDeps): readonly Route[] {
  const { orders, visits } = deps;
  return [
    {
      method: "GET",
      path: "/orders",
      async handle(request) {
        const { id } = await visits.customer(request);
        const answer = await orders.fetch(request, `/orders/search/customerId?sort=date&custId=${id}`);
        // 201 is what the original answers to this GET, and what its clients expect.
        return { status: 201, json: embedded("orders", answer, "customerOrders").map(showOrder) };
      },
    },
    {
      method: "GET",
      path: "/orders/:id",
      async handle(request) {
        const { id } = await visits.customer(request);
        const path = `/orders/${encodeURIComponent(request.params.id ?? "")}`;
        const order = objectOf("orders", await orders.fetch(request, path));
        if (order.customerId !== id) throw new HttpError(404, "there is no such order");
        return { json: showOrder(order) };
      },
    },
    {
      method: "POST",
      path: "/orders",
      handle: async (request) => ({ status: 201, json: await placeOrder(deps, request) }),
    },
  ];
}

/** The body may name an address and a card by id; without, the oldest of each is taken, as in the original. */
async function placeOrder(deps: OrderDeps, request: Request): Promise<Json> {
  const { user, orders, cartsService, carts, visits, log } = deps;
  const { id } = await visits.customer(request);
  const fields = await readOptionalFields(request);
  const wanted = { address: readOptionalText(fields, "address"), card: readOptionalText(fields, "card") };
  const [customer, addresses, cards, cartId] = await Promise.all([
    user.fetch(request, `/customers/${id}`),
    owned(user, visits, request, "addresses", "address"),
    owned(user, visits, request, "cards", "card"),
    carts.current(request),
  ]);
  const links = {
    customer: selfLink("user", objectOf("user", customer)),
    address: selfLink("user", choose("address", addresses, wanted.address)),
    card: selfLink("user", choose("card", cards, wanted.card)),
    items: `${cartsService.url}${carts.itemsPath(cartId ?? id)}`,
  };
  const order = objectOf("orders", await orders.fetch(request, "/orders", { method: "POST", json: links }));
  try {
    await cartsService.fetch(request, `/carts/${id}`, { method: "DELETE" });
  } catch (error) {
    // The order stands; a basket that is still full is seen by the customer.
    log(createLogLine("warn", `the cart is not emptied: ${error instanceof Error ? error.message : error}`));
  }
  return showOrder(order);
}

function choose(kind: "address" | "card", items: readonly Json[], id: string | undefined): Json {
  const chosen = id === undefined ? items[0] : items.find((item) => item.id === id);
  if (chosen !== undefined) return chosen;
  throw new HttpError(
    406,
    id === undefined ? `an order needs ${kind === "card" ? "a card" : "an address"}` : `there is no such ${kind}`,
  );
}

function showOrder(order: Json): Json {
  const { card, ...rest } = order;
  return { ...rest, card: typeof card === "object" && card !== null ? maskCard(card as Json) : null };
}
