/** What the payment service refuses, and its health; amounts are in service.test.ts. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Asked, askService, assertRefused, badBodies } from "../kit/test/stage.ts";
import { createPaymentService } from "./service.ts";

let payment: Asked;
const said: string[] = [];
before(async () => {
  payment = await askService(createPaymentService({ declineOver: 105, log: (line) => void said.push(line) }));
});
after(() => payment.close());

const bad = [
  ...badBodies("POST", "/paymentAuth"),
  {
    name: "a key with SQL in it",
    request: ["POST", "/paymentAuth", { amount: 5 }, { "idempotency-key": "' OR 1=1 --" }],
    status: 400,
  },
  {
    name: "a key that is a book",
    request: ["POST", "/paymentAuth", { amount: 5 }, { "idempotency-key": "x".repeat(65) }],
    status: 400,
  },
  { name: "an odd key to take back", request: ["DELETE", "/paymentAuth/a%20b"], status: 400 },
  { name: "an amount beyond numbers", request: ["POST", "/paymentAuth", '{"amount":1e999}'], status: 400 },
  { name: "an amount that is a list", request: ["POST", "/paymentAuth", { amount: [5] }], status: 400 },
] as const;
for (const c of bad) test(`refuses ${c.name} with ${c.status}`, () => assertRefused(payment, c));

test("health names the service", async () => {
  const { status, json } = await payment.ask("GET", "/health");
  const { health } = json as { health: { service: string; status: string }[] };
  assert.deepEqual([status, health.map((each) => [each.service, each.status])], [200, [["payment", "OK"]]]);
});

test("charges nobody more than is said: the limit is the service's own, whatever the request adds", async () => {
  const body = { amount: 106, authorised: true, declineOver: 1000, card: { longNum: "1" } };
  assert.deepEqual((await payment.ask("POST", "/paymentAuth", body)).json, {
    authorised: false,
    message: "Payment declined: amount exceeds 105.00",
  });
});

const pay = (key: string, amount: number) =>
  payment.ask("POST", "/paymentAuth", { amount }, { "idempotency-key": key });
const charges = (key: string) =>
  said.filter((line) => line.includes("payment authorised") && line.includes(key)).length;

test("the same key is charged once, however often it comes", async () => {
  const answers = await Promise.all([pay("again", 20), pay("again", 20), pay("again", 20)]);
  for (const { status, json } of answers)
    assert.deepEqual([status, json], [200, { authorised: true, message: "Payment authorised" }]);
  assert.equal(charges("again"), 1);
  assert.equal((await pay("again", 21)).status, 422, "a key for another amount");
  assert.deepEqual((await pay("rich", 200)).json, (await pay("rich", 200)).json);
});

test("a payment that is taken back stays so, taken back again or never made", async () => {
  await pay("regret", 20);
  for (let i = 0; i < 2; i++) assert.equal((await payment.ask("DELETE", "/paymentAuth/regret")).status, 204);
  assert.equal((await pay("regret", 20)).status, 409);
  assert.equal((await payment.ask("DELETE", "/paymentAuth/early")).status, 204);
  assert.equal((await pay("early", 20)).status, 409);
  assert.equal(charges("early"), 0);
});
