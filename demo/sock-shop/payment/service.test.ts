import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { call } from "@sock-shop/kit";
import { createPaymentService } from "./service.ts";

const cases = [
  {
    name: "authorises the limit itself",
    body: { amount: 105 },
    status: 200,
    answer: { authorised: true, message: "Payment authorised" },
  },
  {
    name: "declines more than the limit",
    body: { amount: 105.01 },
    status: 200,
    answer: { authorised: false, message: "Payment declined: amount exceeds 105.00" },
  },
  { name: "refuses a zero amount", body: { amount: 0 }, status: 400 },
  { name: "refuses a negative amount", body: { amount: -3 }, status: 400 },
  { name: "refuses a missing amount", body: {}, status: 400 },
  { name: "refuses an amount that is a text", body: { amount: "12" }, status: 400 },
] as const;

for (const c of cases) {
  test(c.name, async (t) => {
    const service = createPaymentService({ declineOver: 105, log: () => undefined });
    await new Promise<void>((resolve) => service.server.listen(0, "127.0.0.1", resolve));
    t.after(() => {
      service.server.closeAllConnections();
      return service.close();
    });
    const { port } = service.server.address() as AddressInfo;
    const answer = await call(`http://127.0.0.1:${port}/paymentAuth`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(c.body),
    });
    assert.equal(answer.status, c.status);
    if ("answer" in c) assert.deepEqual(JSON.parse(answer.body.toString()), c.answer);
  });
}
