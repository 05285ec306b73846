/** The front-end's API against the real services: the original's journeys, its quirks that are kept. Bad input is in bad-input.test.ts. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createClient } from "./client.ts";
import { type Shop, startShop } from "./shop.ts";

declare const __ARGYLE_ROOT__: string;

const HOLY = "03fef6ac-1896-4ce8-bd69-b798f85c6e0b";
const SPORT = "510a0d7e-8e83-4193-b483-e27e09ddc34d";

let shop: Shop;
before(async () => {
  shop = await startShop(__ARGYLE_ROOT__);
});
after(() => shop.stop());

let accounts = 0;
async function newCustomer() {
  const client = createClient(shop.v1);
  const username = `tester${accounts++}`;
  const answer = await client.send("POST", "/register", { json: { username, password: "p:ä ß", firstName: "Tess" } });
  assert.equal(answer.status, 200, answer.text);
  return { client, username, id: (answer.json() as { id: string }).id };
}

const ADDRESS = { street: "Loom Lane", number: "1", city: "Leeds", postcode: "LS1", country: "UK" };
const CARD = { longNum: "5544 1540 1134 5918", expires: "08/29", ccv: "958" };

test("every page of the original and ours answers with its version, and small", async () => {
  const pages = ["/", "/index.html", "/category.html", `/detail.html?id=${HOLY}`, "/basket.html", "/checkout.html"];
  const more = ["/customer-orders.html", "/customer-order.html?order=1", "/login.html", "/register.html"];
  for (const path of [...pages, ...more, "/customer-account.html", "/checkout1.html"]) {
    for (const [url, version] of [
      [shop.v1, "v1"],
      [shop.v2, "v2"],
    ] as const) {
      const answer = await createClient(url).send("GET", path);
      assert.equal(answer.status, 200, path);
      assert.equal(answer.headers["x-shop-version"], version);
      assert.match(answer.text, new RegExp(`id="served-version">${version}<`));
      assert.match(String(answer.headers["content-security-policy"]), /script-src 'self'/);
      assert.equal(answer.headers["set-cookie"], undefined, "looking needs no session");
      assert.ok(answer.text.length < 10_000);
    }
  }
});

test("the footer names pod, version and trace, and the trace goes on to the backends", async () => {
  const client = createClient(shop.v1);
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const page = await client.send("GET", "/", { headers: { traceparent } });
  assert.match(page.text, /id="served-by">front-end-v1-test</);
  assert.match(page.text, /id="served-trace">0af7651916cd43dd8448eb211c80319c</);
  await client.send("GET", "/tags", { headers: { traceparent, "x-request-id": "abc" } });
  assert.equal(shop.lastHeaders("catalogue").traceparent, traceparent);
  assert.equal(shop.lastHeaders("catalogue")["x-request-id"], "abc");
});

test("assets are named by their hash and kept for a year; another version's name still finds them", async () => {
  const client = createClient(shop.v1);
  const page = await client.send("GET", "/category.html");
  const urls = [...page.text.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map((match) => match[1] ?? "");
  assert.ok(urls.length >= 4, page.text);
  for (const url of urls) {
    const answer = await client.send("GET", url);
    assert.equal(answer.status, 200, url);
    assert.match(String(answer.headers["cache-control"]), /immutable/);
    for (const [, imported = ""] of answer.text.matchAll(/from "\.(\/[^"]+)"/g))
      assert.match(imported, /\?v=[0-9a-f]{12}$/);
  }
  assert.equal((await client.send("GET", "/assets/shop.css?v=other")).headers["cache-control"], "public, max-age=60");
  assert.equal((await client.send("GET", "/assets/none.js")).status, 404);
});

test("the journey of the original's load test", async () => {
  const { client } = await newCustomer();
  await client.send("POST", "/addresses", { json: ADDRESS });
  await client.send("POST", "/cards", { json: CARD });
  const catalogue = (await client.send("GET", "/catalogue")).json() as { id: string }[];
  assert.equal(catalogue.length, 10);
  assert.equal((await client.send("DELETE", "/cart")).status, 202);
  assert.equal((await client.send("POST", "/cart", { json: { id: SPORT, quantity: 1 } })).status, 201);
  const placed = await client.send("POST", "/orders");
  assert.equal(placed.status, 201, placed.text);
  const order = placed.json() as Record<string, unknown>;
  assert.equal(order.total, 19.99);
  assert.deepEqual((await client.send("GET", "/cart")).json(), [], "the basket is empty after the order");
  const list = await client.send("GET", "/orders");
  assert.equal(list.status, 201, "as the original");
  assert.deepEqual(
    (list.json() as { id: unknown }[]).map(({ id }) => id),
    [order.id],
  );
  assert.equal((await client.send("GET", `/orders/${order.id}`)).status, 200);
});

test("what a visitor put into the basket is there after the login, under a new session", async () => {
  const client = createClient(shop.v1);
  await client.send("POST", "/cart", { json: { id: HOLY } });
  const before = client.cookies.get("md.sid");
  assert.match(String(before), /^[\w-]{43}$/);
  const answer = await client.logIn("Eve_Berger", "eve");
  assert.equal(answer.text, "Cookie is set");
  for (const line of answer.headers["set-cookie"] ?? []) assert.match(line, /HttpOnly; SameSite=Lax/);
  assert.notEqual(client.cookies.get("md.sid"), before);
  const items = (await client.send("GET", "/cart")).json() as { itemId: string; unitPrice: number }[];
  assert.deepEqual(
    items.map((item) => [item.itemId, item.unitPrice]),
    [[HOLY, 99.99]],
  );
  const old = createClient(shop.v1);
  old.cookies.set("md.sid", String(before)).set("logged_in", "true");
  assert.deepEqual((await old.send("GET", "/cart")).json(), [], "the old session is gone");
  await client.send("DELETE", "/cart");
});

test("a cart that can't be merged at the login is merged later", async () => {
  const { client: other, username } = await newCustomer();
  await other.send("POST", "/logout");
  const client = createClient(shop.v1);
  await client.send("POST", "/cart", { json: { id: SPORT } });
  shop.setFault("carts", "cut");
  assert.equal((await client.logIn(username, "p:ä ß")).status, 200);
  assert.equal((await client.send("GET", "/cart")).status, 502);
  shop.setFault("carts", undefined);
  assert.equal(((await client.send("GET", "/cart")).json() as unknown[]).length, 1);
});

test("logging out ends the session on the server, not only in the browser", async () => {
  const { client } = await newCustomer();
  const kept = new Map(client.cookies);
  assert.equal((await client.send("POST", "/logout")).status, 204);
  for (const [name, value] of kept) client.cookies.set(name, value);
  assert.equal((await client.send("GET", "/orders")).status, 401);
});

test("both versions share the sessions", async () => {
  const { client } = await newCustomer();
  const red = createClient(shop.v2);
  for (const [name, value] of client.cookies) red.cookies.set(name, value);
  assert.match((await red.send("GET", "/")).text, /Hello, Tess/);
});

test("what customers type is escaped in the page", async () => {
  const client = createClient(shop.v1);
  await client.send("POST", "/register", { json: { username: "xss", password: "p", firstName: "<img src=x>" } });
  const { text } = await client.send("GET", "/");
  assert.ok(!text.includes("<img src=x>"));
  assert.ok(text.includes("Hello, &#60;img"));
});

test("a declined payment is 406 with payment's words, and the basket stays", async () => {
  const { client } = await newCustomer();
  await client.send("POST", "/addresses", { json: ADDRESS });
  await client.send("POST", "/cards", { json: CARD });
  await client.send("POST", "/cart", { json: { id: HOLY, quantity: 2 } });
  const answer = await client.send("POST", "/orders");
  assert.equal(answer.status, 406);
  assert.equal((answer.json() as { error: string }).error, "Payment declined: amount exceeds 105.00");
  assert.equal(((await client.send("GET", "/cart")).json() as unknown[]).length, 1);
});

test("other people's carts, orders, addresses and cards are not there", async () => {
  const eve = createClient(shop.v1);
  await eve.logIn("Eve_Berger", "eve");
  await eve.send("POST", "/cart", { json: { id: SPORT } });
  const order = (await eve.send("POST", "/orders")).json() as { id: string; customerId: string };
  const { client } = await newCustomer();
  for (const path of [
    `/orders/${order.id}`,
    `/customers/${order.customerId}`,
    `/customers/${order.customerId}/cards`,
  ]) {
    const answer = await client.send("GET", path);
    assert.equal(answer.status, 404, path);
    assert.ok(!answer.text.includes("Berger"));
  }
  for (const [method, path] of [
    ["DELETE", `/customers/${order.customerId}`],
    ["DELETE", "/cards/57a98d98e4b00679b4a830ae"],
    ["GET", "/addresses/57a98d98e4b00679b4a830ad"],
  ] as const)
    assert.equal((await client.send(method, path)).status, 404, path);
  const mine = await client.send("POST", "/orders", { json: { address: "57a98d98e4b00679b4a830ad" } });
  assert.equal(mine.status, 406);
  assert.deepEqual((await client.send("GET", `/cart?custId=${order.customerId}`)).json(), []);
  assert.equal(
    ((await client.send("GET", "/customers")).json() as { _embedded: { customer: unknown[] } })._embedded.customer
      .length,
    1,
  );
  for (const path of ["/orders", "/customers", "/cards", "/addresses", "/card", "/address", `/orders/${order.id}`])
    assert.equal((await createClient(shop.v1).send("GET", path)).status, 401, path);
});

test("card numbers never come back whole", async () => {
  const { client } = await newCustomer();
  await client.send("POST", "/addresses", { json: ADDRESS });
  await client.send("POST", "/cards", { json: CARD });
  await client.send("POST", "/cart", { json: { id: SPORT } });
  const texts = [
    await client.send("POST", "/orders"),
    await client.send("GET", "/cards"),
    await client.send("GET", "/orders"),
  ];
  for (const { text } of texts) {
    assert.ok(text.includes("************5918"), text);
    assert.ok(!text.includes("5544154011345918") && !text.includes('958"'), text);
  }
  assert.deepEqual((await client.send("GET", "/card")).json(), { number: "5918" });
});

test("a backend's status is kept, with its name", async () => {
  const client = createClient(shop.v1);
  shop.setFault("catalogue", { status: 500, body: "fault filter abort" });
  const aborted = await client.send("GET", "/catalogue");
  assert.deepEqual([aborted.status, aborted.text], [500, "fault filter abort"]);
  const added = await client.send("POST", "/cart", { json: { id: SPORT } });
  assert.deepEqual(added.json(), {
    error: "catalogue answered 500: fault filter abort",
    status: 500,
    service: "catalogue",
  });
  shop.setFault("catalogue", "cut");
  assert.deepEqual((await client.send("GET", "/tags")).json(), {
    error: "catalogue does not answer",
    status: 502,
    service: "catalogue",
  });
  assert.equal((await client.send("GET", "/")).status, 200);
  shop.setFault("catalogue", undefined);
});

test("a trailing slash is redirected, a double one refused, and nobody is sent elsewhere", async () => {
  const client = createClient(shop.v1);
  for (const [path, status, location] of [
    ["/basket.html/", 301, "/basket.html"],
    ["/catalogue/", 301, "/catalogue"],
    ["/cart/?a=b", 301, "/cart?a=b"],
    ["//", 400, undefined],
    ["//evil.example/", 400, undefined],
    ["/x/..//evil.example/", 400, undefined],
    ["/\\evil.example/", 400, undefined],
    ["/%", 404, undefined],
    ["/orders/%zz", 400, undefined],
  ] as const) {
    const answer = await client.send("GET", path);
    assert.equal(answer.status, status, path);
    assert.equal(answer.headers.location, location);
    assert.equal(answer.headers["x-shop-version"], "v1");
  }
});

test("without Redis the shop is open, visitors see socks, and accounts say that they are out of reach", async () => {
  const { client } = await newCustomer();
  await shop.stopRedis();
  const page = await client.send("GET", "/");
  assert.equal(page.status, 200);
  assert.match(page.text, /Accounts are out of reach/);
  assert.equal((await client.send("GET", "/catalogue")).status, 200);
  const cart = await client.send("GET", "/cart");
  assert.deepEqual(cart.json(), { error: "sessions are out of reach at the moment", status: 503 });
  assert.equal(
    (await createClient(shop.v1).send("GET", "/cart")).status,
    200,
    "a visitor without cookies needs no session",
  );
});
