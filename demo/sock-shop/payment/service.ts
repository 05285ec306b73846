/**
 * POST /paymentAuth: an amount up to the limit is authorised, a larger one declined (both 200, as the original answers). On top of the original: a request
 * with an Idempotency-Key (draft-ietf-httpapi-idempotency-key-header) that comes again is answered as before and charged once; DELETE /paymentAuth/:key
 * takes it back, also before it has come.
 */
import {
  createLogLine,
  createService,
  HttpError,
  healthRoute,
  type Request,
  type Response,
  type Service,
} from "@sock-shop/kit";
import { type Ledger, openLedger, type Payment } from "./ledger.ts";

export interface PaymentOptions {
  /** Amounts above are declined. */
  readonly declineOver: number;
  /** Default: in memory. */
  readonly ledger?: Ledger;
  readonly log?: (line: string) => void;
}

const KEY = /^[\w-]{1,64}$/;

export function createPaymentService({ declineOver, ledger = openLedger(undefined), log }: PaymentOptions): Service {
  const note = log ?? ((line: string) => void process.stdout.write(line));
  const decide = (key: string | undefined, amount: number): Payment["state"] => {
    const before = key === undefined ? undefined : ledger.find(key);
    if (before?.state === "voided") throw new HttpError(409, "this payment was taken back");
    if (before !== undefined && before.amount !== amount)
      throw new HttpError(422, "this key belongs to another amount");
    if (before !== undefined) return before.state;
    const state = amount <= declineOver ? "authorised" : "declined";
    if (key !== undefined) ledger.record(key, { amount, state });
    note(createLogLine("info", `payment ${state}`, { key: key ?? "", amount }));
    return state;
  };
  const takeBack = ({ params }: Request): Response => {
    const key = readKey(params.key);
    const before = ledger.find(key);
    if (before?.state !== "voided") {
      ledger.record(key, { amount: before?.amount ?? 0, state: "voided" });
      note(createLogLine("info", "payment voided", { key, was: before?.state ?? "unknown" }));
    }
    return { status: 204 };
  };
  return createService({
    name: "payment",
    ...(log === undefined ? {} : { log }),
    onError: (error) => ({ status: error.status, json: { error: error.message, status_code: error.status } }),
    routes: [
      {
        method: "POST",
        path: "/paymentAuth",
        async handle(request) {
          const header = request.headers["idempotency-key"];
          const key = header === undefined ? undefined : readKey(String(header));
          const authorised = decide(key, readAmount(await request.json())) === "authorised";
          const message = authorised
            ? "Payment authorised"
            : `Payment declined: amount exceeds ${declineOver.toFixed(2)}`;
          return { json: { authorised, message } };
        },
      },
      { method: "DELETE", path: "/paymentAuth/:key", handle: takeBack },
      healthRoute({ service: "payment", timeField: "time" }),
    ],
  });
}

function readKey(text: string | undefined): string {
  if (text === undefined || !KEY.test(text))
    throw new HttpError(400, "a key has up to 64 letters, digits, dashes and underscores");
  return text;
}

/** The original answers 500 to an amount that is missing or zero; the request is at fault, so ours says 400. */
function readAmount(body: unknown): number {
  const amount = typeof body === "object" && body !== null && "amount" in body ? body.amount : undefined;
  if (typeof amount !== "number" || !Number.isFinite(amount)) throw new HttpError(400, "amount must be a number");
  if (amount <= 0) throw new HttpError(400, "Invalid payment amount: it must be greater than 0");
  return amount;
}
