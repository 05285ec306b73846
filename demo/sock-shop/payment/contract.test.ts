/** What the payment service refuses, and its health; amounts are in service.test.ts. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Asked, askService, assertRefused, badBodies } from "../kit/test/stage.ts";
import { createPaymentService } from "./service.ts";

let payment: Asked;
before(async () => {
  payment = await askService(createPaymentService({ declineOver: 105, log: () => undefined }));
});
after(() => payment.close());

const bad = [
  ...badBodies("POST", "/paymentAuth").filter(({ name }) => !name.includes("UTF-8")),
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
