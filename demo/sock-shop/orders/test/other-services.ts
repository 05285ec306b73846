/** What orders asks: the real payment service behind a door at which it can be made to fail, stand-ins for user, carts and shipping. */
import { createServer } from "node:http";
import { listen } from "../../kit/test/stage.ts";
import { openLedger } from "../../payment/ledger.ts";
import { createPaymentService } from "../../payment/service.ts";

/** `refuse`: no answer, nothing done. `lose`: done, but the answer is lost. */
export type Trouble = "refuse" | "lose";

export interface OtherServices {
  readonly url: string;
  /** Undefined heals. */
  trouble(service: "payment" | "shipping", trouble: Trouble | undefined): void;
  readonly shipped: readonly { readonly body: unknown; readonly trace: unknown }[];
  /** What payment has said in its log: `authorised`, `declined`, `voided` to the keys. */
  payments(said: "authorised" | "declined" | "voided"): readonly string[];
  close(): void;
}

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

export async function startOtherServices(): Promise<OtherServices> {
  const troubles = new Map<string, Trouble>();
  const shipped: { readonly body: unknown; readonly trace: unknown }[] = [];
  const said: { readonly msg: string; readonly key: string }[] = [];
  const payment = createPaymentService({
    declineOver: 105,
    ledger: openLedger(undefined),
    log: (line) => void said.push(JSON.parse(line)),
  });
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    const trouble = troubles.get(path.startsWith("/paymentAuth") ? "payment" : path.slice(1));
    if (trouble === "refuse") return void request.socket.destroy();
    if (trouble === "lose") response.writeHead = () => response.destroy();
    if (path.startsWith("/paymentAuth")) return void payment.server.emit("request", request, response);
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      if (path === "/slow") return;
      if (path === "/shipping") {
        shipped.push({ body: JSON.parse(Buffer.concat(chunks).toString()), trace: request.headers["x-request-id"] });
        response.writeHead(201).end("{}");
        return;
      }
      const answer = ANSWERS[path];
      response.writeHead(answer === undefined ? 404 : 200);
      response.end(typeof answer === "string" ? answer : JSON.stringify(answer ?? {}));
    });
  });
  const url = `http://127.0.0.1:${await listen(server)}`;
  return {
    url,
    trouble: (service, trouble) =>
      void (trouble === undefined ? troubles.delete(service) : troubles.set(service, trouble)),
    shipped,
    payments: (what) => said.filter(({ msg }) => msg === `payment ${what}`).map(({ key }) => key),
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

export function linksTo({ url }: OtherServices, cart: string) {
  return {
    customer: `${url}/customers/1`,
    address: `${url}/addresses/1`,
    card: `${url}/cards/1`,
    items: `${url}/carts/${cart}/items`,
  };
}
