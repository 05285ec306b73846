/** POST /paymentAuth: an amount up to the limit is authorised, a larger one declined (both 200, as the original answers). */
import { createService, HttpError, type Service } from "@sock-shop/kit";

export interface PaymentOptions {
  /** Amounts above are declined. */
  readonly declineOver: number;
  readonly log?: (line: string) => void;
}

export function createPaymentService({ declineOver, log }: PaymentOptions): Service {
  return createService({
    name: "payment",
    ...(log === undefined ? {} : { log }),
    onError: (error) => ({ status: error.status, json: { error: error.message, status_code: error.status } }),
    routes: [
      {
        method: "POST",
        path: "/paymentAuth",
        async handle(request) {
          const amount = readAmount(await request.json());
          const authorised = amount <= declineOver;
          const message = authorised
            ? "Payment authorised"
            : `Payment declined: amount exceeds ${declineOver.toFixed(2)}`;
          return { json: { authorised, message } };
        },
      },
      {
        method: "GET",
        path: "/health",
        handle: () => ({ json: { health: [{ service: "payment", status: "OK", time: new Date().toISOString() }] } }),
      },
    ],
  });
}

/** The original answers 500 to an amount that is missing or zero; the request is at fault, so ours says 400. */
function readAmount(body: unknown): number {
  const amount = typeof body === "object" && body !== null && "amount" in body ? body.amount : undefined;
  if (typeof amount !== "number" || !Number.isFinite(amount)) throw new HttpError(400, "amount must be a number");
  if (amount <= 0) throw new HttpError(400, "Invalid payment amount: it must be greater than 0");
  return amount;
}
