/**
 * Accounts: log in, register, log out, and the customer's own addresses and cards. The original hands out every customer, address and card to
 * anybody who asks; here each is seen by its owner only, and anybody else's is 404, as if it did not exist.
 */
import { HttpError, type Request, type Response, type Route } from "@sock-shop/kit";
import { embedded, type Json, maskCard, objectOf, textOf } from "./answers.ts";
import { type Backend, BackendError } from "./backend.ts";
import { readAddress, readCard, readFields, readRegistration } from "./bodies.ts";
import type { Carts } from "./carts.ts";
import type { SessionCustomer } from "./sessions/store.ts";
import type { Visits } from "./sessions/visits.ts";

export interface AccountDeps {
  readonly user: Backend;
  readonly cartsService: Backend;
  readonly carts: Carts;
  readonly visits: Visits;
}

export function accountRoutes(deps: AccountDeps): readonly Route[] {
  const { user, cartsService, visits } = deps;
  return [
    {
      method: "GET",
      path: "/login",
      async handle(request) {
        const customer = await authenticate(user, request);
        return { headers: { "set-cookie": [...(await logIn(deps, request, customer))] }, body: "Cookie is set" };
      },
    },
    {
      method: "POST",
      path: "/register",
      async handle(request) {
        const registration = readRegistration(await readFields(request));
        const answer = objectOf("user", await user.fetch(request, "/register", { method: "POST", json: registration }));
        const id = textOf("user", answer.id);
        const { username, firstName, lastName } = registration;
        const cookies = await logIn(deps, request, { id, username, firstName, lastName });
        return { headers: { "set-cookie": [...cookies] }, json: { id } };
      },
    },
    {
      method: "POST",
      path: "/logout",
      handle: async (request) => ({ status: 204, headers: { "set-cookie": [...(await visits.logOut(request))] } }),
    },
    {
      method: "POST",
      path: "/customers",
      async handle(request) {
        const json = readRegistration(await readFields(request));
        return { json: await user.fetch(request, "/customers", { method: "POST", json }) };
      },
    },
    {
      method: "GET",
      path: "/customers",
      async handle(request) {
        const { id } = await visits.customer(request);
        return { json: { _embedded: { customer: [await user.fetch(request, `/customers/${id}`)] } } };
      },
    },
    {
      method: "GET",
      path: "/customers/:id",
      handle: async (request) => ({ json: await user.fetch(request, `/customers/${await ownId(visits, request)}`) }),
    },
    {
      method: "DELETE",
      path: "/customers/:id",
      async handle(request) {
        const id = await ownId(visits, request);
        await cartsService.fetch(request, `/carts/${id}`, { method: "DELETE" });
        const json = await user.fetch(request, `/customers/${id}`, { method: "DELETE" });
        return { json, headers: { "set-cookie": [...(await visits.logOut(request))] } };
      },
    },
    ...ownedRoutes(deps, { plural: "addresses", singular: "address", read: readAddress, show: (address) => address }),
    ...ownedRoutes(deps, { plural: "cards", singular: "card", read: readCard, show: maskCard }),
    {
      method: "GET",
      path: "/address",
      async handle(request) {
        const [first] = await owned(user, visits, request, "addresses", "address");
        if (first === undefined) throw new HttpError(404, "there is no address yet");
        return { json: first };
      },
    },
    {
      method: "GET",
      path: "/card",
      async handle(request) {
        const [first] = await owned(user, visits, request, "cards", "card");
        if (first === undefined) throw new HttpError(404, "there is no card yet");
        return { json: { number: String(first.longNum ?? "").slice(-4) } };
      },
    },
  ];
}

interface Owned {
  readonly plural: "addresses" | "cards";
  readonly singular: "address" | "card";
  read(fields: Json): object;
  show(item: Json): Json;
}

function ownedRoutes({ user, visits }: AccountDeps, { plural, singular, read, show }: Owned): readonly Route[] {
  const list = (request: Request) => owned(user, visits, request, plural, singular);
  const all = async (request: Request): Promise<Response> => ({
    json: { _embedded: { [singular]: (await list(request)).map(show) } },
  });
  const one = async (request: Request): Promise<Json> => {
    const found = (await list(request)).find((item) => item.id === request.params.id);
    if (found === undefined) throw new HttpError(404, `there is no such ${singular}`);
    return found;
  };
  return [
    { method: "GET", path: `/${plural}`, handle: all },
    {
      method: "GET",
      path: `/customers/:id/${plural}`,
      async handle(request) {
        await ownId(visits, request);
        return all(request);
      },
    },
    { method: "GET", path: `/${plural}/:id`, handle: async (request) => ({ json: show(await one(request)) }) },
    {
      method: "POST",
      path: `/${plural}`,
      async handle(request) {
        const { id } = await visits.customer(request);
        const json = { ...read(await readFields(request)), userID: id };
        return { json: await user.fetch(request, `/${plural}`, { method: "POST", json }) };
      },
    },
    {
      method: "DELETE",
      path: `/${plural}/:id`,
      async handle(request) {
        const id = textOf("user", (await one(request)).id);
        return { json: await user.fetch(request, `/${plural}/${id}`, { method: "DELETE" }) };
      },
    },
  ];
}

/** The customer's own addresses or cards, oldest first. */
export async function owned(
  user: Backend,
  visits: Visits,
  request: Request,
  plural: "addresses" | "cards",
  singular: "address" | "card",
): Promise<readonly Json[]> {
  const { id } = await visits.customer(request);
  return embedded("user", await user.fetch(request, `/customers/${id}/${plural}`), singular);
}

async function ownId(visits: Visits, request: Request): Promise<string> {
  const { id } = await visits.customer(request);
  if (id !== request.params.id) throw new HttpError(404, "there is no such customer");
  return id;
}

async function authenticate(user: Backend, request: Request): Promise<SessionCustomer> {
  const { authorization } = request.headers;
  if (authorization === undefined) throw new HttpError(401, "a name and a password are needed");
  let answer: unknown;
  try {
    answer = await user.fetch(request, "/login", { headers: { authorization } });
  } catch (error) {
    if (error instanceof BackendError && error.status === 401)
      throw new HttpError(401, "this name and password do not belong together");
    throw error;
  }
  const { id, firstName, lastName, username } = objectOf("user", objectOf("user", answer).user);
  const name = (value: unknown) => (typeof value === "string" ? value : "");
  return { id: textOf("user", id), firstName: name(firstName), lastName: name(lastName), username: name(username) };
}

async function logIn(deps: AccountDeps, request: Request, customer: SessionCustomer): Promise<readonly string[]> {
  const { session } = await deps.visits.read(request);
  // A cart is the visitor's own only while no other customer has been logged in with this session.
  const visitorCart = session?.customer === undefined ? session?.cartId : undefined;
  const isMerged = visitorCart === undefined || (await deps.carts.merge(request, visitorCart, customer.id));
  return deps.visits.logIn(request, customer, isMerged ? undefined : visitorCart);
}
