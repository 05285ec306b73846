/** A checkout that is cut off at each of its steps: what is paid has an order, what has no order is not paid, and nothing is paid twice. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { onPostgres } from "../kit/test/on-postgres.ts";
import { type Checkout, createCheckout } from "./checkout.ts";
import { createOrdersService } from "./service.ts";
import { createOrderStore, type Order, type OrderStore } from "./store.ts";
import { linksTo, type OtherServices, startOtherServices } from "./test/other-services.ts";

let others: OtherServices;
let store: OrderStore;
let checkout: Checkout;
/** No timer: the tests say when it is time to take up what was left. */
const NEVER_MS = 1_000_000;
const orders = onPostgres("orders", async (url) => {
  others = await startOtherServices();
  store = createOrderStore(url);
  checkout = createCheckout(store.steps, {
    paymentUrl: `${others.url}/paymentAuth`,
    shippingUrl: `${others.url}/shipping`,
    timeoutMs: 500,
    abandonedAfterMs: 0,
    settleEveryMs: NEVER_MS,
    log: () => undefined,
  });
  return {
    service: createOrdersService(store, checkout, () => undefined),
    close: () => checkout.close().then(() => store.close()),
  };
});
const { skip } = orders;
after(() => others?.close());

const place = () => orders.ask("POST", "/orders", linksTo(others, "1"));
const standing = async () => (await store.list()).map(({ id }) => id);
const unfinished = async () => (await store.steps.unfinished(0)).map(({ step }) => step);

/** Every order that stands is authorised once and not taken back; everything else that was authorised is. */
async function assertBooksBalance(): Promise<void> {
  const authorised = others.payments("authorised");
  assert.equal(new Set(authorised).size, authorised.length, "paid twice");
  const voided = others.payments("voided");
  assert.deepEqual(authorised.filter((key) => !voided.includes(key)).sort(), [...(await standing())].sort());
  assert.deepEqual(await unfinished(), []);
}

test("payment's answer is lost: 500, no order, and the payment is taken back when payment can be asked again", {
  skip,
}, async () => {
  others.trouble("payment", "lose");
  assert.equal((await place()).status, 500);
  await checkout.settle();
  assert.deepEqual(await unfinished(), ["cancelled"]);
  others.trouble("payment", undefined);
  await checkout.settle();
  assert.equal(others.payments("voided").length, 1);
  await assertBooksBalance();
});

test("payment is down: 500, and a payment that still arrives is refused", { skip }, async () => {
  others.trouble("payment", "refuse");
  assert.equal((await place()).status, 500);
  const [left] = await store.steps.unfinished(0);
  // The attempt that the failure began has failed too: the next one is not the same.
  await checkout.settle();
  others.trouble("payment", undefined);
  await checkout.settle();
  const late = await fetch(`${others.url}/paymentAuth`, {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": left?.order.id ?? "" },
    body: JSON.stringify({ amount: left?.order.total }),
  });
  assert.equal(late.status, 409);
  await assertBooksBalance();
});

test("orders died between payment and order: the next one cancels the order and takes the payment back", {
  skip,
}, async () => {
  const order = { ...(await placed()), id: "0123456789abcdef01234567" };
  await store.steps.begin(order);
  await fetch(`${others.url}/paymentAuth`, {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": order.id },
    body: JSON.stringify({ amount: order.total }),
  });
  assert.equal((await orders.ask("GET", `/orders/${order.id}`)).status, 404);
  await checkout.settle();
  assert.ok(others.payments("voided").includes(order.id));
  await assertBooksBalance();
});

test("orders died between order and shipment: the next one ships it", { skip }, async () => {
  const order = await placed();
  const before = others.shipped.length;
  assert.ok(await store.steps.advance(order.id, ["placed"], "paid"));
  await checkout.settle();
  assert.deepEqual(
    others.shipped.slice(before).map(({ body }) => body),
    [order.shipment],
  );
  await assertBooksBalance();
});

for (const trouble of ["refuse", "lose"] as const) {
  test(`shipping is in trouble (${trouble}): the order stands, its shipment is asked for again`, { skip }, async () => {
    others.trouble("shipping", trouble);
    const order = await placed();
    assert.deepEqual(await unfinished(), ["paid"]);
    others.trouble("shipping", undefined);
    await checkout.settle();
    assert.deepEqual(others.shipped.at(-1)?.body, order.shipment);
    await assertBooksBalance();
  });
}

test("the database dies and comes back while orders are placed: each is told the truth", { skip }, async () => {
  const customers = Array.from({ length: 20 }, place);
  await orders.crash();
  const answers = await Promise.all(customers);
  for (const { status, text } of answers) assert.match(String(status), /^(201|500)$/, text);
  await checkout.settle();
  const stand = await standing();
  for (const { status, json } of answers) if (status === 201) assert.ok(stand.includes((json as Order).id));
  await assertBooksBalance();
});

test("an order that somebody else has cancelled meanwhile is not acknowledged", { skip }, async () => {
  const order = { ...(await placed()), id: "fedcba987654321001234567" };
  await store.steps.begin(order);
  await checkout.settle();
  assert.equal(await store.steps.advance(order.id, ["pending", "paid"], "paid"), false);
  await assertBooksBalance();
});

async function placed(): Promise<Order> {
  const { status, text, json } = await place();
  assert.equal(status, 201, text);
  const { id } = json as Order;
  const order = await store.find(id);
  assert.ok(order);
  return order;
}
