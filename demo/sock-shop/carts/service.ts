/**
 * The carts service's REST API as the original has it, `/carts/{customerId}` creating a cart by asking for it.
 * Differences, mends: quantities and prices that make no sense are 400, and an unknown item is 404 instead of an empty answer.
 */
import { createService, HttpError, healthRoute, type Service, vitalStore } from "@sock-shop/kit";
import { type CartStore, type Item, MAX_QUANTITY } from "./store.ts";

const MAX_ID = 200;
const MAX_PRICE = 1_000_000;
/** What PostgreSQL can't keep as it is: NUL, and halves of a character. */
const UNSTORABLE = /[\0\p{Surrogate}]/u;

export function createCartsService(store: CartStore, log?: (line: string) => void): Service {
  return createService({
    name: "carts",
    ...(log === undefined ? {} : { log }),
    onError: (error) => ({ status: error.status, json: { status: error.status, message: error.message } }),
    routes: [
      {
        method: "GET",
        path: "/carts/:customerId",
        handle: async ({ params }) => ({ json: await store.cart(readId(params.customerId)) }),
      },
      {
        method: "DELETE",
        path: "/carts/:customerId",
        async handle({ params }) {
          await store.remove(readId(params.customerId));
          return { status: 202 };
        },
      },
      {
        method: "GET",
        path: "/carts/:customerId/merge",
        async handle({ params, query }) {
          await store.merge(readId(query.get("sessionId") ?? undefined), readId(params.customerId));
          return { status: 202 };
        },
      },
      {
        method: "GET",
        path: "/carts/:customerId/items",
        handle: async ({ params }) => ({ json: (await store.cart(readId(params.customerId))).items }),
      },
      {
        method: "POST",
        path: "/carts/:customerId/items",
        async handle({ params, json }) {
          const body = fieldsOf(await json());
          const item = {
            itemId: readId(body.itemId),
            quantity: readQuantity(body.quantity ?? 1),
            unitPrice: readPrice(body.unitPrice ?? 0),
          };
          return { status: 201, json: await addTo(store, readId(params.customerId), item) };
        },
      },
      {
        method: "PATCH",
        path: "/carts/:customerId/items",
        async handle({ params, json }) {
          const body = fieldsOf(await json());
          const price = body.unitPrice === undefined ? {} : { unitPrice: readPrice(body.unitPrice) };
          await store.set(readId(params.customerId), {
            itemId: readId(body.itemId),
            quantity: readQuantity(body.quantity),
            ...price,
          });
          return { status: 202 };
        },
      },
      {
        method: "GET",
        path: "/carts/:customerId/items/:itemId",
        async handle({ params }) {
          const item = await store.item(readId(params.customerId), readId(params.itemId));
          if (item === undefined) throw new HttpError(404, "there is no such item in this cart");
          return { json: item };
        },
      },
      {
        method: "DELETE",
        path: "/carts/:customerId/items/:itemId",
        async handle({ params }) {
          await store.removeItem(readId(params.customerId), readId(params.itemId));
          return { status: 202 };
        },
      },
      healthRoute({ service: "carts", timeField: "date", needs: vitalStore("carts-db", store) }),
    ],
  });
}

async function addTo(store: CartStore, customerId: string, item: Omit<Item, "id">): Promise<Item> {
  const added = await store.add(customerId, item);
  if (added === undefined) throw new HttpError(400, `a cart holds at most ${MAX_QUANTITY} of one item`);
  return added;
}

function fieldsOf(body: unknown): Readonly<Record<string, unknown>> {
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw new HttpError(400, "the body must be a JSON object");
  return body as Readonly<Record<string, unknown>>;
}

function readId(value: unknown): string {
  if (typeof value !== "string" || value === "" || value.length > MAX_ID || UNSTORABLE.test(value))
    throw new HttpError(400, "an id is missing or malformed");
  return value;
}

function readQuantity(value: unknown): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 1 || value > MAX_QUANTITY) {
    throw new HttpError(400, `quantity must be a whole number from 1 to ${MAX_QUANTITY}`);
  }
  return value;
}

function readPrice(value: unknown): number {
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0 || value > MAX_PRICE)
    throw new HttpError(400, `unitPrice must be a number from 0 to ${MAX_PRICE}`);
  return value;
}
