/** The user service's API on a real PostgreSQL: what the original answers, and what bad requests get. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { onPostgres } from "../kit/test/on-postgres.ts";
import { assertRefused, badBodies } from "../kit/test/stage.ts";
import { createUserService } from "./service.ts";
import { createUserStore } from "./store.ts";

const EVE = "57a98d98e4b00679b4a830af";
const user = onPostgres("users", (url) => {
  const store = createUserStore(url);
  return { service: createUserService(store, { domain: "user", log: () => undefined }), close: () => store.close() };
});
const { skip } = user;

const basic = (name: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}`,
});
const login = (name: string, password: string) => user.ask("GET", "/login", undefined, basic(name, password));

for (const [name, password] of [
  ["Eve_Berger", "eve"],
  ["user", "password"],
  ["user1", "password"],
] as const) {
  test(`${name} of the talk can log in`, { skip }, async () => {
    const { status, type, json } = await login(name, password);
    assert.equal(status, 200);
    assert.match(type, /^application\/hal\+json/);
    assert.equal((json as { user: { username: string } }).user.username, name);
  });
}

test("a customer in HAL, with links to the rest and nothing of the password", { skip }, async () => {
  const { json, text } = await user.ask("GET", `/customers/${EVE}`);
  const href = (path: string) => ({ href: `http://user/customers/${EVE}${path}` });
  assert.deepEqual(json, {
    firstName: "Eve",
    lastName: "Berger",
    username: "Eve_Berger",
    id: EVE,
    _links: { customer: href(""), self: href(""), addresses: href("/addresses"), cards: href("/cards") },
  });
  assert.doesNotMatch(text, /scrypt|password/);
});

test("lists are embedded", { skip }, async () => {
  const count = async (path: string, name: string) => {
    const { json } = await user.ask("GET", path);
    return (json as { _embedded: Record<string, unknown[]> })._embedded[name]?.length;
  };
  assert.deepEqual(
    [await count("/customers", "customer"), await count("/addresses", "address"), await count("/cards", "card")],
    [3, 4, 4],
  );
  assert.deepEqual(
    [await count(`/customers/${EVE}/addresses`, "address"), await count(`/customers/${EVE}/cards`, "card")],
    [1, 1],
  );
});

test("registering, adding an address and a card, and leaving", { skip }, async () => {
  const registration = {
    username: "o'brien; --",
    password: "p:w",
    email: "o@example.com",
    firstName: "O",
    lastName: "B",
  };
  const registered = await user.ask("POST", "/register", registration);
  assert.equal(registered.status, 200);
  const { id } = registered.json as { id: string };
  assert.equal((await login("o'brien; --", "p:w")).status, 200);
  assert.equal((await user.ask("POST", "/register", registration)).status, 409);
  const address = { street: "S", number: "1", country: "C", city: "T", postcode: "P", userID: id };
  const added = await user.ask("POST", "/addresses", address);
  assert.equal(added.status, 200);
  const card = { longNum: "1234567890", expires: "01/30", ccv: "123", userID: id };
  const cardId = ((await user.ask("POST", "/cards", card)).json as { id: string }).id;
  const { json } = await user.ask("GET", `/customers/${id}/cards`);
  const [kept] = (json as { _embedded: { card: { longNum: string; id: string }[] } })._embedded.card;
  assert.deepEqual([kept?.id, kept?.longNum], [cardId, "1234567890"]);
  assert.deepEqual((await user.ask("DELETE", `/customers/${id}`)).json, { status: true });
  assert.equal((await user.ask("GET", `/cards/${cardId}`)).status, 404);
  assert.equal((await login("o'brien; --", "p:w")).status, 401);
});

test("two registrations of one name at once: one wins", { skip }, async () => {
  const registration = { username: "twin", password: "x" };
  const statuses = await Promise.all(
    [1, 2].map(async () => (await user.ask("POST", "/register", registration)).status),
  );
  assert.deepEqual(statuses.sort(), [200, 409]);
});

test("health names the service and its database", { skip }, async () => {
  const { json } = await user.ask("GET", "/health");
  const { health } = json as { health: { service: string; status: string; time: string }[] };
  assert.deepEqual(
    health.map((each) => [each.service, each.status]),
    [
      ["user", "OK"],
      ["user-db", "OK"],
    ],
  );
});

const SQL = "' OR '1'='1";
const card = { longNum: "1", expires: "01/30", ccv: "1" };
const bad = [
  ...badBodies("POST", "/register").filter(({ name }) => !name.includes("UTF-8")),
  { name: "a path that is no UTF-8", request: ["GET", "/customers/%E0%A4%A"], status: 400 },
  { name: "a login without a name", request: ["GET", "/login"], status: 401 },
  { name: "a wrong password", request: ["GET", "/login", undefined, basic("user", "wrong")], status: 401 },
  {
    name: "an unknown name just as a wrong password",
    request: ["GET", "/login", undefined, basic("nobody", "x")],
    status: 401,
  },
  { name: "SQL for a name", request: ["GET", "/login", undefined, basic(SQL, SQL)], status: 401 },
  {
    name: "a login that is no Basic",
    request: ["GET", "/login", undefined, { authorization: "Bearer x" }],
    status: 401,
  },
  { name: "a NUL in the name", request: ["GET", "/login", undefined, basic("a\0b", "x")], status: 401 },
  { name: "a registration without a password", request: ["POST", "/register", { username: "x" }], status: 400 },
  {
    name: "a name longer than may be",
    request: ["POST", "/register", { username: "x".repeat(201), password: "x" }],
    status: 400,
  },
  { name: "a name that is an object", request: ["POST", "/register", { username: {}, password: "x" }], status: 400 },
  { name: "half a character", request: ["POST", "/register", '{"username":"\\ud800","password":"x"}'], status: 400 },
  { name: "SQL for an id", request: ["GET", `/customers/${encodeURIComponent(SQL)}`], status: 404 },
  { name: "an unknown customer", request: ["GET", "/customers/000000000000000000000000"], status: 404 },
  { name: "cards of an unknown customer", request: ["GET", "/customers/000000000000000000000000/cards"], status: 404 },
  { name: "deleting what is not there", request: ["DELETE", "/cards/000000000000000000000000"], status: 404 },
  {
    name: "a card of a customer who is not there",
    request: ["POST", "/cards", { ...card, userID: "0".repeat(24) }],
    status: 404,
  },
  { name: "a card without its number", request: ["POST", "/cards", { ...card, longNum: "" }], status: 400 },
] as const;
for (const c of bad) test(`refuses ${c.name} with ${c.status}`, { skip }, () => assertRefused(user, c));
