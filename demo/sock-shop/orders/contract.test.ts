/** The orders service's API on a real PostgreSQL, with the real payment service and stand-ins for what it asks of the others. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { onPostgres } from "../kit/test/on-postgres.ts";
import { assertRefused, type BadCase, badBodies } from "../kit/test/stage.ts";
import { createCheckout } from "./checkout.ts";
import { createOrdersService } from "./service.ts";
import { createOrderStore } from "./store.ts";
import { linksTo, type OtherServices, startOtherServices } from "./test/other-services.ts";

let others: OtherServices;
const orders = onPostgres("orders", async (url) => {
  others = await startOtherServices();
  const store = createOrderStore(url);
  const checkout = createCheckout(store.steps, {
    paymentUrl: `${others.url}/paymentAuth`,
    shippingUrl: `${others.url}/shipping`,
    timeoutMs: 500,
    log: () => undefined,
  });
  return {
    service: createOrdersService(store, checkout, () => undefined),
    close: () => checkout.close().then(() => store.close()),
  };
});
const { skip } = orders;
after(() => others?.close());
const links = (cart: string) => linksTo(others, cart);

test("an order is paid, shipped, kept and found again", { skip }, async () => {
  const placed = await orders.ask("POST", "/orders", links("1"), { "x-request-id": "trace-me" });
  assert.equal(placed.status, 201, placed.text);
  const order = placed.json as {
    id: string;
    total: number;
    customerId: string;
    shipment: { id: string; name: string };
  };
  assert.deepEqual([order.total, order.customerId, order.shipment.name], [39.39, "1", "1"]);
  assert.deepEqual(others.shipped, [{ body: order.shipment, trace: "trace-me" }]);
  const found = await orders.ask("GET", "/orders/search/customerId?sort=date&custId=1");
  assert.deepEqual((found.json as { _embedded: { customerOrders: unknown[] } })._embedded.customerOrders, [order]);
  assert.deepEqual((await orders.ask("GET", `/orders/${order.id}`)).json, order);
  const anotherOnes = await orders.ask("GET", "/orders/search/customerId?custId=2");
  assert.deepEqual(anotherOnes.json, { _embedded: { customerOrders: [] } });
});

test("an acknowledged order survives kill -9 of the database", { skip }, async () => {
  const { id } = (await orders.ask("POST", "/orders", links("1"))).json as { id: string };
  await orders.crash();
  assert.equal((await orders.ask("GET", `/orders/${id}`)).status, 200);
});

test("what payment declines is 406 with its words, and neither shipped nor kept", { skip }, async () => {
  const before = others.shipped.length;
  const { status, json } = await orders.ask("POST", "/orders", links("rich"));
  assert.equal(status, 406);
  assert.equal((json as { message: string }).message, "Payment declined: amount exceeds 105.00");
  assert.equal(others.shipped.length, before);
  const { json: kept } = await orders.ask("GET", "/orders");
  assert.doesNotMatch(JSON.stringify(kept), /176\.49/);
});

test("health names the service and its database", { skip }, async () => {
  const { json } = await orders.ask("GET", "/health");
  const { health } = json as { health: { service: string; status: string }[] };
  assert.deepEqual(
    health.map((each) => [each.service, each.status]),
    [
      ["orders", "OK"],
      ["orders-db", "OK"],
    ],
  );
});

test("SQL for a customer finds nobody's orders", { skip }, async () => {
  const { status, json } = await orders.ask(
    "GET",
    `/orders/search/customerId?custId=${encodeURIComponent("' OR '1'='1")}`,
  );
  assert.deepEqual([status, json], [200, { _embedded: { customerOrders: [] } }]);
});

const bad: readonly (BadCase | { readonly name: string; readonly status: number; readonly body: () => object })[] = [
  // An order without its links is 406 in the original, whatever else it is.
  ...badBodies("POST", "/orders").map((c) => (/list|null/.test(c.name) ? { ...c, status: 406 } : c)),
  { name: "no links", request: ["POST", "/orders", {}], status: 406 },
  { name: "one link short", status: 406, body: () => ({ ...links("1"), card: undefined }) },
  { name: "a link that is no URL", status: 406, body: () => ({ ...links("1"), card: "card 1" }) },
  { name: "a link to a file", status: 406, body: () => ({ ...links("1"), card: "file:///etc/passwd" }) },
  { name: "an empty cart", status: 406, body: () => links("empty") },
  { name: "a cart that is not there", status: 406, body: () => links("none") },
  { name: "items that make no sense", status: 500, body: () => links("odd") },
  { name: "items that are no JSON", status: 500, body: () => links("html") },
  {
    name: "somebody who does not answer",
    status: 500,
    body: () => ({ ...links("1"), customer: `${others.url}/slow` }),
  },
  { name: "a search for nobody", request: ["GET", "/orders/search/customerId"], status: 400 },
  { name: "an unknown order", request: ["GET", "/orders/000000000000000000000000"], status: 404 },
  { name: "SQL for an id", request: ["GET", `/orders/${encodeURIComponent("' OR 1=1 --")}`], status: 404 },
  { name: "an id beyond all measure", request: ["GET", `/orders/${"f".repeat(5000)}`], status: 404 },
  { name: "a NUL for an id", request: ["GET", "/orders/a%00b"], status: 404 },
  { name: "a search with a NUL", request: ["GET", "/orders/search/customerId?custId=a%00b"], status: 400 },
];
for (const c of bad) {
  test(`answers ${c.name} with ${c.status}`, { skip }, () =>
    assertRefused(orders, "body" in c ? { ...c, request: ["POST", "/orders", c.body()] } : c),
  );
}
