/** What the front-end answers to input that is wrong, hostile or somebody else's: the right 4xx, and nothing given away. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createClient, type SendOptions } from "./client.ts";
import { type Shop, startShop } from "./shop.ts";

declare const __ARGYLE_ROOT__: string;

const SPORT = "510a0d7e-8e83-4193-b483-e27e09ddc34d";
const ADDRESS = { street: "Loom Lane", number: "1", city: "Leeds", postcode: "LS1", country: "UK" };
const CARD = { longNum: "5544 1540 1134 5918", expires: "08/29", ccv: "958" };

let shop: Shop;
before(async () => {
  shop = await startShop(__ARGYLE_ROOT__);
});
after(() => shop.stop());

interface BadInput extends SendOptions {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

const QUOTE = "' OR '1'='1";
const BAD: readonly BadInput[] = [
  {
    name: "a form instead of JSON",
    method: "POST",
    path: "/cart",
    body: "id=1",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    status: 415,
  },
  {
    name: "broken JSON",
    method: "POST",
    path: "/cart",
    body: "{",
    headers: { "content-type": "application/json" },
    status: 400,
  },
  { name: "a list for an object", method: "POST", path: "/cart", json: [], status: 400 },
  { name: "no id", method: "POST", path: "/cart", json: {}, status: 400 },
  { name: "an unknown sock", method: "POST", path: "/cart", json: { id: "none" }, status: 404 },
  { name: "SQL in an id", method: "POST", path: "/cart", json: { id: QUOTE }, status: 404 },
  { name: "a path in an id", method: "POST", path: "/cart", json: { id: "../health" }, status: 404 },
  { name: "another endpoint for an id", method: "POST", path: "/cart", json: { id: "size" }, status: 404 },
  { name: "NUL in an id", method: "POST", path: "/cart", json: { id: "a\0b" }, status: 400 },
  { name: "a negative quantity", method: "POST", path: "/cart", json: { id: SPORT, quantity: -1 }, status: 400 },
  { name: "a quantity of zero", method: "POST", path: "/cart/update", json: { id: SPORT, quantity: 0 }, status: 400 },
  { name: "half a pair", method: "POST", path: "/cart/update", json: { id: SPORT, quantity: 1.5 }, status: 400 },
  { name: "far too many", method: "POST", path: "/cart", json: { id: SPORT, quantity: 1e9 }, status: 400 },
  { name: "an item that is not in the basket", method: "DELETE", path: "/cart/none", status: 404 },
  { name: "SQL in the tags", method: "GET", path: `/catalogue?tags=${encodeURIComponent(QUOTE)}`, status: 200 },
  {
    name: "SQL in the order",
    method: "GET",
    path: `/catalogue?sort=${encodeURIComponent("id; DROP TABLE sock")}`,
    status: 400,
  },
  { name: "a negative page", method: "GET", path: "/catalogue?page=-1", status: 400 },
  { name: "an unknown sock's page", method: "GET", path: "/catalogue/none", status: 404 },
  { name: "no name and password", method: "GET", path: "/login", status: 401 },
  { name: "a name without password", method: "POST", path: "/register", json: { username: "a" }, status: 400 },
  {
    name: "a name that is taken",
    method: "POST",
    path: "/register",
    json: { username: "user", password: "p" },
    status: 409,
  },
  { name: "an order of nobody", method: "POST", path: "/orders", status: 401 },
  { name: "an unknown path", method: "GET", path: "/wp-login.php", status: 404 },
  { name: "an unknown method", method: "PUT", path: "/cart", status: 405 },
  {
    name: "a body that is too large",
    method: "POST",
    path: "/cart",
    body: `{"id":"${"x".repeat(100_000)}"}`,
    headers: { "content-type": "application/json" },
    status: 413,
  },
  {
    name: "another site's form",
    method: "POST",
    path: "/logout",
    headers: { "sec-fetch-site": "cross-site", origin: "https://evil.example" },
    status: 403,
  },
  {
    name: "another origin, in an old browser",
    method: "DELETE",
    path: "/cart",
    headers: { origin: "https://evil.example" },
    status: 403,
  },
  {
    name: "a login from another site",
    method: "GET",
    path: "/login",
    headers: { "sec-fetch-site": "cross-site" },
    status: 403,
  },
];
for (const bad of BAD) {
  test(`answers ${bad.status} to ${bad.name}, and gives nothing away`, async () => {
    const { method, path, status, ...options } = bad;
    const answer = await createClient(shop.v1).send(method, path, options);
    assert.equal(answer.status, status, answer.text);
    assert.equal(answer.headers["x-shop-version"], "v1");
    assert.doesNotMatch(answer.text, /at .*\.ts|node:|postgres|SELECT|127\.0\.0\.1|syntax error/i);
  });
}

test("bad cards and addresses are named field by field", async () => {
  const client = createClient(shop.v1);
  await client.send("POST", "/register", { json: { username: "clumsy", password: "p" } });
  for (const [path, json, message] of [
    ["/cards", { ...CARD, longNum: "1234" }, "longNum must be 12 to 19 digits"],
    ["/cards", { ...CARD, expires: "13/29" }, "expires must be MM/YY"],
    ["/cards", { ...CARD, ccv: "" }, "ccv is required"],
    ["/addresses", { ...ADDRESS, city: " " }, "city is required"],
    ["/addresses", { ...ADDRESS, city: "x".repeat(201) }, "city is longer than 200 characters"],
  ] as const) {
    const answer = await client.send("POST", path, { json });
    assert.deepEqual([answer.status, (answer.json() as { error: string }).error], [400, message]);
  }
});

test("a wrong password and an unknown name look the same", async () => {
  const client = createClient(shop.v1);
  const [wrong, unknown] = [await client.logIn("user", "nope"), await client.logIn("nobody", "nope")];
  assert.deepEqual([wrong.status, wrong.text], [401, unknown.text]);
  assert.equal(wrong.headers["www-authenticate"], undefined, "no dialog of the browser's");
  assert.equal(client.cookies.size, 0);
});

/** Everything that takes a body, with a session. */
const DOORS: readonly (readonly [method: string, path: string])[] = [
  ["POST", "/cart"],
  ["POST", "/cart/update"],
  ["POST", "/register"],
  ["POST", "/customers"],
  ["POST", "/addresses"],
  ["POST", "/cards"],
  ["POST", "/orders"],
];
const JSON_TYPE = { "content-type": "application/json" };
const UNFIT: readonly (SendOptions & { readonly name: string; readonly status: number })[] = [
  {
    name: "a body that is too large",
    body: JSON.stringify({ a: "x".repeat(70_000) }),
    headers: JSON_TYPE,
    status: 413,
  },
  { name: "a form", body: "id=1", headers: { "content-type": "application/x-www-form-urlencoded" }, status: 415 },
  { name: "a text that says it is none", body: "{}", headers: { "content-type": "text/plain" }, status: 415 },
  { name: "broken JSON", body: "{", headers: JSON_TYPE, status: 400 },
  { name: "a list", json: [], status: 400 },
];
test("whatever takes a body refuses one that is too large, no JSON, or no object", async () => {
  const client = createClient(shop.v1);
  await client.send("POST", "/register", { json: { username: "bodybuilder", password: "p" } });
  for (const [method, path] of DOORS)
    for (const { name, status, ...options } of UNFIT)
      assert.equal((await client.send(method, path, options)).status, status, `${name} to ${method} ${path}`);
});

test("SQL is only text: in a name, a password, an address, and in every id", async () => {
  const client = createClient(shop.v1);
  const sql = "x'); DROP TABLE customer; --";
  assert.equal((await client.logIn(QUOTE, QUOTE)).status, 401);
  await client.send("POST", "/register", { json: { username: sql, password: QUOTE, firstName: sql } });
  assert.equal((await client.send("POST", "/addresses", { json: { ...ADDRESS, street: sql } })).status, 200);
  assert.equal(((await client.send("GET", "/address")).json() as typeof ADDRESS).street, sql);
  for (const path of ["/orders", "/addresses", "/cards", "/customers", "/catalogue"]) {
    const { status, text } = await client.send("GET", `${path}/${encodeURIComponent(QUOTE)}`);
    assert.equal(status, 404, path);
    assert.doesNotMatch(text, /syntax|SELECT/i);
  }
  assert.equal((await client.send("DELETE", `/cart/${encodeURIComponent(QUOTE)}`)).status, 404);
  assert.equal((await client.send("POST", "/orders", { json: { card: QUOTE } })).status, 406);
  assert.equal((await createClient(shop.v1).logIn(sql, QUOTE)).status, 200);
});

test("a request line beyond all measure is 431, and the connection is not left hanging", async () => {
  const answer = await createClient(shop.v1).send("GET", `/catalogue?tags=${"x".repeat(100_000)}`);
  assert.equal(answer.status, 431);
});

test("a session that has expired is nobody's: its orders and its basket are out of reach until the next login", async () => {
  const client = createClient(shop.v1);
  await client.logIn("user", "password");
  await client.send("POST", "/cart", { json: { id: SPORT } });
  assert.equal((await client.send("GET", "/orders")).status, 201);
  await shop.endSessions();
  for (const path of ["/orders", "/customers", "/cards", "/addresses", "/card", "/address"])
    assert.equal((await client.send("GET", path)).status, 401, path);
  assert.equal((await client.send("POST", "/orders")).status, 401);
  assert.deepEqual((await client.send("GET", "/cart")).json(), []);
  await client.logIn("user", "password");
  assert.equal(((await client.send("GET", "/cart")).json() as unknown[]).length, 1);
});

test("a forged session is nobody's", async () => {
  const client = createClient(shop.v1);
  for (const sid of ["x", "a".repeat(43), "../../etc", "57a98d98e4b00679b4a830af"]) {
    client.cookies.set("md.sid", sid).set("logged_in", "true");
    assert.equal((await client.send("GET", "/orders")).status, 401);
    assert.deepEqual((await client.send("GET", "/cart")).json(), []);
  }
});
