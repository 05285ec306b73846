/**
 * The user service's REST API as the original has it. Differences, all of them mends: an unknown name at login is 401 like a wrong
 * password (the original says 500 and so tells which names exist), a taken name is 409, an unknown id 404, a body that lacks fields 400.
 */
import {
  createService,
  HttpError,
  hal,
  healthRoute,
  type Request,
  type Route,
  type Service,
  vitalStore,
} from "@sock-shop/kit";
import { readAddress, readCard, readId, readRegistration, readUserId } from "./bodies.ts";
import { createLinks, embed, type Links } from "./hal.ts";
import type { UserStore } from "./store.ts";

export interface UserServiceOptions {
  /** Host in the links. */
  readonly domain: string;
  readonly log?: (line: string) => void;
}

export function createUserService(store: UserStore, options: UserServiceOptions): Service {
  const links = createLinks(options.domain);
  return createService({
    name: "user",
    ...(options.log === undefined ? {} : { log: options.log }),
    onError: (error) => ({ status: error.status, json: { error: error.message, status_code: error.status } }),
    routes: [
      ...accountRoutes(store, links),
      ...customerRoutes(store, links),
      ...itemRoutes(store, links),
      healthRoute({ service: "user", timeField: "time", needs: vitalStore("user-db", store) }),
    ],
  });
}

function accountRoutes(store: UserStore, links: Links): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/login",
      async handle(request) {
        const [username, password] = readBasic(request);
        const customer = await store.authenticate(username, password);
        if (customer === undefined) throw new HttpError(401, "Unauthorized");
        return hal({ user: links.customer(customer) });
      },
    },
    {
      method: "POST",
      path: "/register",
      handle: async (request) => hal({ id: await store.register(readRegistration(await request.json())) }),
    },
  ];
}

function customerRoutes(store: UserStore, links: Links): readonly Route[] {
  const existing = async (request: Request) => {
    const customer = await store.customer(readId(request));
    if (customer === undefined) throw new HttpError(404, "there is no such customer");
    return customer;
  };
  return [
    {
      method: "GET",
      path: "/customers",
      handle: async () => hal(embed("customer", (await store.customers()).map(links.customer))),
    },
    { method: "GET", path: "/customers/:id", handle: async (request) => hal(links.customer(await existing(request))) },
    {
      method: "GET",
      path: "/customers/:id/addresses",
      handle: async (request) =>
        hal(embed("address", (await store.addresses((await existing(request)).id)).map(links.address))),
    },
    {
      method: "GET",
      path: "/customers/:id/cards",
      handle: async (request) => hal(embed("card", (await store.cards((await existing(request)).id)).map(links.card))),
    },
    {
      method: "POST",
      path: "/customers",
      handle: async (request) => hal({ id: await store.register(readRegistration(await request.json())) }),
    },
    removal("/customers/:id", "customer", store),
  ];
}

function itemRoutes(store: UserStore, links: Links): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/addresses",
      handle: async () => hal(embed("address", (await store.addresses()).map(links.address))),
    },
    {
      method: "GET",
      path: "/addresses/:id",
      async handle(request) {
        const address = await store.address(readId(request));
        if (address === undefined) throw new HttpError(404, "there is no such address");
        return hal(links.address(address));
      },
    },
    {
      method: "POST",
      path: "/addresses",
      async handle(request) {
        const body = await request.json();
        return hal({ id: await store.addAddress(readAddress(body), readUserId(body)) });
      },
    },
    removal("/addresses/:id", "address", store),
    { method: "GET", path: "/cards", handle: async () => hal(embed("card", (await store.cards()).map(links.card))) },
    {
      method: "GET",
      path: "/cards/:id",
      async handle(request) {
        const card = await store.card(readId(request));
        if (card === undefined) throw new HttpError(404, "there is no such card");
        return hal(links.card(card));
      },
    },
    {
      method: "POST",
      path: "/cards",
      async handle(request) {
        const body = await request.json();
        return hal({ id: await store.addCard(readCard(body), readUserId(body)) });
      },
    },
    removal("/cards/:id", "card", store),
  ];
}

function removal(path: string, kind: "customer" | "address" | "card", store: UserStore): Route {
  return {
    method: "DELETE",
    path,
    async handle(request) {
      if (!(await store.remove(kind, readId(request)))) throw new HttpError(404, `there is no such ${kind}`);
      return hal({ status: true });
    },
  };
}

/** RFC 7617; anything else is 401, as in the original. */
function readBasic(request: Request): readonly [username: string, password: string] {
  const match = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(request.headers.authorization ?? "");
  const text = Buffer.from(match?.[1] ?? "", "base64").toString("utf8");
  const colon = text.indexOf(":");
  // A NUL can be in no name: the database would refuse the question.
  if (match === null || colon === -1 || text.includes("\0")) throw new HttpError(401, "Unauthorized");
  return [text.slice(0, colon), text.slice(colon + 1)];
}
