/**
 * The orders service's REST API as the original has it (HAL, searches by customer).
 * README.md lists where it differs.
 */
import { createService, HttpError, hal, healthRoute, type Service, vitalStore } from "@sock-shop/kit";
import type { Checkout } from "./checkout.ts";
import type { OrderLinks } from "./gather-order.ts";
import type { Order, OrderStore } from "./store.ts";

export function createOrdersService(store: OrderStore, checkout: Checkout, log?: (line: string) => void): Service {
  return createService({
    name: "orders",
    ...(log === undefined ? {} : { log }),
    onError: (error) => ({ status: error.status, json: { status: error.status, message: error.message } }),
    routes: [
      {
        method: "POST",
        path: "/orders",
        async handle(request) {
          return hal(withLinks(await checkout.place(readLinks(await request.json()), request.trace)), 201);
        },
      },
      { method: "GET", path: "/orders", handle: async () => hal(embed(await store.list())) },
      {
        method: "GET",
        path: "/orders/search/customerId",
        async handle({ query }) {
          const customerId = query.get("custId") ?? "";
          if (customerId === "" || customerId.includes("\0")) throw new HttpError(400, "custId is required");
          return hal(embed(await store.list(customerId)));
        },
      },
      {
        method: "GET",
        path: "/orders/:id",
        async handle({ params }) {
          // No order has such an id, and PostgreSQL refuses the question.
          const id = params.id ?? "";
          const order = id.includes("\0") ? undefined : await store.find(id);
          if (order === undefined) throw new HttpError(404, "there is no such order");
          return hal(withLinks(order));
        },
      },
      healthRoute({ service: "orders", timeField: "date", needs: vitalStore("orders-db", store) }),
    ],
  });
}

function readLinks(body: unknown): OrderLinks {
  const fields = typeof body === "object" && body !== null ? (body as Readonly<Record<string, unknown>>) : {};
  const link = (name: keyof OrderLinks): string => {
    const value = fields[name];
    if (typeof value !== "string" || !URL.canParse(value) || !value.startsWith("http://")) {
      throw new HttpError(406, "Invalid order request. Order requires customer, address, card and items.");
    }
    return value;
  };
  return { customer: link("customer"), address: link("address"), card: link("card"), items: link("items") };
}

function withLinks(order: Order): object {
  return {
    ...order,
    _links: { self: { href: `http://orders/orders/${order.id}` }, order: { href: `http://orders/orders/${order.id}` } },
  };
}

function embed(orders: readonly Order[]): object {
  return { _embedded: { customerOrders: orders.map(withLinks) } };
}
