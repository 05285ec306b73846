/** The orders service's API on a real PostgreSQL, with the real payment service and stand-ins for what it asks of the others. */
import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import { after, before, test } from "node:test";
import {
  type Asked,
  askService,
  assertRefused,
  type BadCase,
  badBodies,
  listen,
  type Postgres,
  startPostgres,
  whyNoPostgres,
} from "../kit/test/stage.ts";
import { createPaymentService } from "../payment/service.ts";
import { createOrdersService } from "./service.ts";
import { createOrderStore } from "./store.ts";

const skip = whyNoPostgres();
let postgres: Postgres;
let payment: Asked;
let orders: Asked;
let peers: Server;
let peersUrl: string;
let close: () => Promise<void>;
const shipped: unknown[] = [];

/** What user, carts and shipping answer, by path. */
const ANSWERS: Readonly<Record<string, unknown>> = {
  "/customers/1": { id: "1", firstName: "Eve" },
  "/addresses/1": { id: "a", street: "Loom Lane" },
  "/cards/1": { id: "c", longNum: "5953580604169678" },
  "/carts/1/items": [
    { id: "i", itemId: "sock-1", quantity: 2, unitPrice: 17.15 },
    { id: "j", itemId: "sock-2", quantity: 1, unitPrice: 0.1 },
  ],
  "/carts/rich/items": [{ id: "i", itemId: "sock-1", quantity: 10, unitPrice: 17.15 }],
  "/carts/empty/items": [],
  "/carts/odd/items": [{ id: "i", itemId: "sock-1", quantity: -2, unitPrice: 17.15 }],
  "/carts/html/items": "<html>",
};

before(async () => {
  if (skip !== false) return;
  postgres = await startPostgres("orders");
  payment = await askService(createPaymentService({ declineOver: 105, log: () => undefined }));
  peers = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      if (request.url === "/slow") return;
      if (request.url === "/shipping") {
        shipped.push({ body: JSON.parse(Buffer.concat(chunks).toString()), trace: request.headers["x-request-id"] });
        response.writeHead(201).end("{}");
        return;
      }
      const answer = ANSWERS[request.url ?? ""];
      response.writeHead(answer === undefined ? 404 : 200);
      response.end(typeof answer === "string" ? answer : JSON.stringify(answer ?? {}));
    });
  });
  peersUrl = `http://127.0.0.1:${await listen(peers)}`;
  const store = createOrderStore(postgres.url);
  orders = await askService(
    createOrdersService(store, {
      paymentUrl: `${payment.url}/paymentAuth`,
      shippingUrl: `${peersUrl}/shipping`,
      timeoutMs: 200,
      log: () => undefined,
    }),
  );
  close = () => store.close();
});
after(async () => {
  if (skip !== false) return;
  await orders.close();
  await payment.close();
  peers.closeAllConnections();
  peers.close();
  await close();
  await postgres.stop();
});

const links = (cart: string) => ({
  customer: `${peersUrl}/customers/1`,
  address: `${peersUrl}/addresses/1`,
  card: `${peersUrl}/cards/1`,
  items: `${peersUrl}/carts/${cart}/items`,
});

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
  assert.deepEqual(shipped, [{ body: order.shipment, trace: "trace-me" }]);
  const found = await orders.ask("GET", "/orders/search/customerId?sort=date&custId=1");
  assert.deepEqual((found.json as { _embedded: { customerOrders: unknown[] } })._embedded.customerOrders, [order]);
  assert.deepEqual((await orders.ask("GET", `/orders/${order.id}`)).json, order);
  const others = await orders.ask("GET", "/orders/search/customerId?custId=2");
  assert.deepEqual(others.json, { _embedded: { customerOrders: [] } });
});

test("an acknowledged order survives kill -9 of the database", { skip }, async () => {
  const { id } = (await orders.ask("POST", "/orders", links("1"))).json as { id: string };
  await postgres.crash();
  assert.equal((await orders.ask("GET", `/orders/${id}`)).status, 200);
});

test("what payment declines is 406 with its words, and neither shipped nor kept", { skip }, async () => {
  const before = shipped.length;
  const { status, json } = await orders.ask("POST", "/orders", links("rich"));
  assert.equal(status, 406);
  assert.equal((json as { message: string }).message, "Payment declined: amount exceeds 105.00");
  assert.equal(shipped.length, before);
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
  { name: "somebody who does not answer", status: 500, body: () => ({ ...links("1"), customer: `${peersUrl}/slow` }) },
  { name: "a search for nobody", request: ["GET", "/orders/search/customerId"], status: 400 },
  { name: "an unknown order", request: ["GET", "/orders/000000000000000000000000"], status: 404 },
  { name: "SQL for an id", request: ["GET", `/orders/${encodeURIComponent("' OR 1=1 --")}`], status: 404 },
  { name: "a NUL for an id", request: ["GET", "/orders/a%00b"], status: 404 },
  { name: "a search with a NUL", request: ["GET", "/orders/search/customerId?custId=a%00b"], status: 400 },
];
for (const c of bad) {
  test(`answers ${c.name} with ${c.status}`, { skip }, () =>
    assertRefused(orders, "body" in c ? { ...c, request: ["POST", "/orders", c.body()] } : c),
  );
}
