/** The cart API as the original's front-end has it. The price always comes from the catalogue, never from the browser. */
import { HttpError, type Request, type Route } from "@sock-shop/kit";
import { objectOf } from "./answers.ts";
import { type Backend, BackendError } from "./backend.ts";
import { readFields, readQuantity, readText } from "./bodies.ts";
import type { Carts } from "./carts.ts";
import type { Visits } from "./sessions/visits.ts";

export interface CartDeps {
  readonly catalogue: Backend;
  readonly cartsService: Backend;
  readonly carts: Carts;
  readonly visits: Visits;
}

export function cartRoutes({ catalogue, cartsService, carts, visits }: CartDeps): readonly Route[] {
  const priceOf = async (request: Request, itemId: string): Promise<number> => {
    const sock = objectOf("catalogue", await catalogue.fetch(request, `/catalogue/${encodeURIComponent(itemId)}`));
    if (sock.id !== itemId || typeof sock.price !== "number") throw new BackendError("catalogue", 404, "not found");
    return sock.price;
  };
  return [
    {
      method: "GET",
      path: "/cart",
      async handle(request) {
        const cartId = await carts.current(request);
        return { json: cartId === undefined ? [] : await cartsService.fetch(request, carts.itemsPath(cartId)) };
      },
    },
    {
      method: "POST",
      path: "/cart",
      async handle(request) {
        const fields = await readFields(request);
        const itemId = readText(fields, "id");
        const quantity = readQuantity(fields, 1);
        const unitPrice = await priceOf(request, itemId);
        const { cartId, cookies } = await visits.withCart(request);
        await cartsService.fetch(request, carts.itemsPath(cartId), {
          method: "POST",
          json: { itemId, quantity, unitPrice },
        });
        return { status: 201, headers: { "set-cookie": [...cookies] } };
      },
    },
    {
      method: "POST",
      path: "/cart/update",
      async handle(request) {
        const fields = await readFields(request);
        const itemId = readText(fields, "id");
        const quantity = readQuantity(fields);
        const unitPrice = await priceOf(request, itemId);
        const { cartId, cookies } = await visits.withCart(request);
        await cartsService.fetch(request, carts.itemsPath(cartId), {
          method: "PATCH",
          json: { itemId, quantity, unitPrice },
        });
        return { status: 202, headers: { "set-cookie": [...cookies] } };
      },
    },
    {
      method: "DELETE",
      path: "/cart",
      async handle(request) {
        const cartId = await carts.current(request);
        if (cartId !== undefined)
          await cartsService.fetch(request, `/carts/${encodeURIComponent(cartId)}`, { method: "DELETE" });
        return { status: 202 };
      },
    },
    {
      method: "DELETE",
      path: "/cart/:id",
      async handle(request) {
        const cartId = await carts.current(request);
        if (cartId === undefined) throw new HttpError(404, "there is no such item in your basket");
        const item = `${carts.itemsPath(cartId)}/${encodeURIComponent(request.params.id ?? "")}`;
        await cartsService.fetch(request, item);
        await cartsService.fetch(request, item, { method: "DELETE" });
        return { status: 202 };
      },
    },
  ];
}
