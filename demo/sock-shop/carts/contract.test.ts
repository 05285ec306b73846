/** The carts service's API on a real PostgreSQL: what the original answers, and what bad requests get. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { onPostgres } from "../kit/test/on-postgres.ts";
import { assertRefused, badBodies } from "../kit/test/stage.ts";
import { createCartsService } from "./service.ts";
import { createCartStore } from "./store.ts";

const carts = onPostgres("carts", (url) => {
  const store = createCartStore(url);
  return { service: createCartsService(store, () => undefined), close: () => store.close() };
});
const { skip } = carts;

const sock = { itemId: "sock-1", unitPrice: 12.5 };
const items = async (id: string) => {
  const { json } = await carts.ask("GET", `/carts/${id}/items`);
  return (json as { itemId: string; quantity: number; unitPrice: number }[]).map((item) => [
    item.itemId,
    item.quantity,
    item.unitPrice,
  ]);
};

test("a cart is there as soon as it is asked for", { skip }, async () => {
  const { status, json } = await carts.ask("GET", "/carts/new");
  assert.deepEqual([status, json], [200, { id: "new", customerId: "new", items: [] }]);
});

test("adding counts up, patching sets, deleting removes", { skip }, async () => {
  const first = await carts.ask("POST", "/carts/a/items", sock);
  assert.equal(first.status, 201);
  const { id, ...rest } = first.json as { id: string };
  assert.match(id, /^[0-9a-f]{24}$/);
  assert.deepEqual(rest, { ...sock, quantity: 1 });
  await carts.ask("POST", "/carts/a/items", sock);
  await carts.ask("POST", "/carts/a/items", { ...sock, itemId: "sock-2", quantity: 3 });
  assert.deepEqual(await items("a"), [
    ["sock-1", 2, 12.5],
    ["sock-2", 3, 12.5],
  ]);
  assert.equal((await carts.ask("PATCH", "/carts/a/items", { ...sock, quantity: 7 })).status, 202);
  assert.equal((await carts.ask("GET", "/carts/a/items/sock-1")).status, 200);
  assert.equal((await carts.ask("DELETE", "/carts/a/items/sock-2")).status, 202);
  assert.deepEqual(await items("a"), [["sock-1", 7, 12.5]]);
  assert.equal((await carts.ask("DELETE", "/carts/a")).status, 202);
  assert.deepEqual(await items("a"), []);
});

test("merging moves a visitor's cart into the customer's", { skip }, async () => {
  await carts.ask("POST", "/carts/visitor/items", sock);
  await carts.ask("POST", "/carts/visitor/items", { ...sock, itemId: "sock-9" });
  await carts.ask("POST", "/carts/customer/items", { ...sock, quantity: 2 });
  assert.equal((await carts.ask("GET", "/carts/customer/merge?sessionId=visitor")).status, 202);
  assert.deepEqual((await items("customer")).sort(), [
    ["sock-1", 3, 12.5],
    ["sock-9", 1, 12.5],
  ]);
  assert.deepEqual(await items("visitor"), []);
});

test("twenty additions at once all count", { skip }, async () => {
  await Promise.all(Array.from({ length: 20 }, () => carts.ask("POST", "/carts/busy/items", sock)));
  assert.deepEqual(await items("busy"), [["sock-1", 20, 12.5]]);
});

test("what was acknowledged is there after kill -9 of the database", { skip }, async () => {
  await carts.ask("POST", "/carts/kept/items", sock);
  await carts.crash();
  assert.deepEqual(await items("kept"), [["sock-1", 1, 12.5]]);
});

test("health names the service and its database", { skip }, async () => {
  const { status, json } = await carts.ask("GET", "/health");
  const { health } = json as { health: { service: string; status: string; date: string }[] };
  assert.equal(status, 200);
  assert.deepEqual(
    health.map((each) => [each.service, each.status]),
    [
      ["carts", "OK"],
      ["carts-db", "OK"],
    ],
  );
});

const SQL = "x'; DROP TABLE cart_item; --";
const add = (body: object) => ["POST", "/carts/bad/items", body] as const;
const bad = [
  ...badBodies("POST", "/carts/bad/items"),
  { name: "no item", request: add({ unitPrice: 1 }), status: 400 },
  { name: "an item id that is a number", request: add({ itemId: 5 }), status: 400 },
  { name: "a negative quantity", request: add({ ...sock, quantity: -1 }), status: 400 },
  { name: "a quantity of zero", request: add({ ...sock, quantity: 0 }), status: 400 },
  { name: "half a sock", request: add({ ...sock, quantity: 0.5 }), status: 400 },
  { name: "more socks than there can be", request: add({ ...sock, quantity: 1e9 }), status: 400 },
  { name: "a negative price", request: add({ ...sock, unitPrice: -0.01 }), status: 400 },
  { name: "a price beyond the column", request: add({ ...sock, unitPrice: 1e12 }), status: 400 },
  { name: "a byte that can't be stored", request: add({ ...sock, itemId: "a\0b" }), status: 400 },
  {
    name: "half a character",
    request: ["POST", "/carts/bad/items", '{"itemId":"\\ud800","unitPrice":1}'],
    status: 400,
  },
  { name: "patching without a quantity", request: ["PATCH", "/carts/bad/items", { itemId: "a" }], status: 400 },
  { name: "an unknown item", request: ["GET", "/carts/bad/items/none"], status: 404 },
  { name: "SQL for an item", request: ["GET", `/carts/bad/items/${encodeURIComponent(SQL)}`], status: 404 },
  { name: "somebody else's item", request: ["GET", "/carts/bad/items/sock-1"], status: 404 },
  { name: "a merge with nobody", request: ["GET", "/carts/bad/merge"], status: 400 },
] as const;
for (const c of bad) test(`refuses ${c.name} with ${c.status}`, { skip }, () => assertRefused(carts, c));

test("quantities never pass what the database can hold", { skip }, async () => {
  await carts.ask("POST", "/carts/heap/items", { ...sock, quantity: 1_000_000 });
  const { status } = await carts.ask("POST", "/carts/heap/items", { ...sock, quantity: 1_000_000 });
  assert.equal(status, 400);
  assert.deepEqual(await items("heap"), [["sock-1", 1_000_000, 12.5]]);
});

test("SQL in every field is only text", { skip }, async () => {
  const id = encodeURIComponent(SQL);
  assert.equal((await carts.ask("POST", `/carts/${id}/items`, { itemId: SQL, unitPrice: 1 })).status, 201);
  assert.deepEqual(await items(id), [[SQL, 1, 1]]);
  assert.equal((await carts.ask("DELETE", `/carts/${id}/items/${id}`)).status, 202);
  assert.deepEqual(await items("kept"), [["sock-1", 1, 12.5]]);
});
