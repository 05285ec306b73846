/** The cart of whoever asks. A cart that could not be merged at the login is merged when the customer next looks at it. */
import { createLogLine, type Request } from "@sock-shop/kit";
import type { Backend } from "./backend.ts";
import type { Visits } from "./sessions/visits.ts";

export interface Carts {
  /** The id of the cart to read, undefined when the visitor has none yet. */
  current(request: Request): Promise<string | undefined>;
  /** Moves the visitor's cart into the customer's; false when the carts service would not. */
  merge(request: Request, visitorCartId: string, customerId: string): Promise<boolean>;
  itemsPath(cartId: string): string;
}

export function createCarts(backend: Backend, visits: Visits, log: (line: string) => void): Carts {
  const merge: Carts["merge"] = async (request, visitorCartId, customerId) => {
    const path = `/carts/${encodeURIComponent(customerId)}/merge?sessionId=${encodeURIComponent(visitorCartId)}`;
    try {
      await backend.fetch(request, path);
      return true;
    } catch (error) {
      log(
        createLogLine("warn", `the visitor's cart is merged later: ${error instanceof Error ? error.message : error}`),
      );
      return false;
    }
  };
  return {
    merge,
    async current(request) {
      const visit = await visits.read(request);
      const { customer, session } = visit;
      if (customer === undefined) return session?.customer === undefined ? session?.cartId : undefined;
      if (session?.cartId !== undefined && (await merge(request, session.cartId, customer.id)))
        await visits.forgetCart(visit);
      return customer.id;
    },
    itemsPath: (cartId) => `/carts/${encodeURIComponent(cartId)}/items`,
  };
}
