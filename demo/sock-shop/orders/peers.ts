/** payment and shipping, as orders asks them. Each question names what it is about, so that asking again changes nothing. */
import { type CallOptions, call, HttpError } from "@sock-shop/kit";
import { objectOf, parse, reach } from "./answers.ts";
import type { Order } from "./store.ts";

export interface Peers {
  /** Throws when it is not known whether the money is taken. */
  pay(order: Order, trace: Trace): Promise<{ readonly isAuthorised: boolean; readonly message: string }>;
  /** Takes the payment of this order back, and refuses it should it still come. */
  takeBack(orderId: string): Promise<void>;
  ship(order: Order, trace: Trace): Promise<void>;
}

export interface PeerAddresses {
  readonly paymentUrl: string;
  readonly shippingUrl: string;
}

type Trace = Readonly<Record<string, string>>;

export function createPeers({ paymentUrl, shippingUrl }: PeerAddresses, timeoutMs: number): Peers {
  const ask = async (what: string, url: string, options: CallOptions, wanted: number) => {
    const { status, body } = await reach(what, () => call(url, { ...options, timeoutMs }));
    if (status !== wanted) throw new HttpError(500, `${what} answered ${status}`);
    return body;
  };
  const post = (headers: Trace, body: object): CallOptions => ({
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return {
    async pay({ id, address, card, customer, total }, trace) {
      const question = post({ ...trace, "idempotency-key": id }, { address, card, customer, amount: total });
      const verdict = objectOf("payment")(parse("payment", await ask("payment", paymentUrl, question, 200)));
      return { isAuthorised: verdict.authorised === true, message: String(verdict.message ?? "Payment declined") };
    },
    async takeBack(orderId) {
      await ask("payment", `${paymentUrl}/${orderId}`, { method: "DELETE" }, 204);
    },
    async ship({ shipment }, trace) {
      await ask("shipping", shippingUrl, post(trace, shipment), 201);
    },
  };
}
