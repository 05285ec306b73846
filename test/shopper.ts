/** A customer of the Sock Shop at the gateway: one connection, a cookie jar, the shop's JSON API. Whatever the shop answers is an answer, never an error. */
import { Agent, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from "node:http";

export interface ShopAnswer {
  readonly status: number;
  readonly body: string;
}

export interface OrderItem {
  readonly itemId: string;
  readonly quantity: number;
  readonly unitPrice: number;
}

export interface ShopOrder {
  readonly id: string;
  readonly total: number;
  readonly items: readonly OrderItem[];
  readonly shipment: { readonly id: string };
}

export interface Sock {
  readonly id: string;
  readonly price: number;
  readonly count: number;
}

export interface Shopper {
  ask(method: string, path: string, json?: object, headers?: OutgoingHttpHeaders): Promise<ShopAnswer>;
  /** Registers with an address and a card and logs in again, so that both ways into a session are walked; the customer's id. */
  register(username: string): Promise<string>;
  socks(): Promise<readonly Sock[]>;
  orders(): Promise<readonly ShopOrder[]>;
  close(): void;
}

const TIMEOUT_MS = 15_000;
const PASSWORD = "correct horse";
const ADDRESS = { street: "Test Street", number: "7", city: "Glasgow", postcode: "G1 1AA", country: "United Kingdom" };
const CARD = { longNum: "5544154011345918", expires: "08/29", ccv: "958" };
const SHIPPING_CENTS = 499;

/** Σ price · quantity + shipping; in cents, where equal means equal. */
export function centsOf(items: readonly OrderItem[]): number {
  return items.reduce((sum, item) => sum + item.quantity * Math.round(item.unitPrice * 100), SHIPPING_CENTS);
}

export function createShopper(gateway: string): Shopper {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const jar = new Map<string, string>();

  const ask: Shopper["ask"] = async (method, path, json, headers = {}) => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const body = json === undefined ? undefined : JSON.stringify(json);
    const { answer, setCookies } = await send(agent, method, `${gateway}${path}`, body, {
      ...headers,
      ...(cookie === "" ? {} : { cookie }),
      ...(body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
    });
    for (const line of setCookies) {
      const [name = "", value = ""] = (line.split(";")[0] ?? "").split("=", 2);
      if (/max-age=0|expires=Thu, 01 Jan 1970/i.test(line)) jar.delete(name);
      else jar.set(name, value);
    }
    return answer;
  };
  const must = async (status: number, ...args: Parameters<Shopper["ask"]>): Promise<ShopAnswer> => {
    const answer = await ask(...args);
    if (answer.status !== status) throw new Error(`${args[0]} ${args[1]}: ${answer.status} ${answer.body}`);
    return answer;
  };
  return {
    ask,
    async register(username) {
      const names = { firstName: "Test", lastName: "Customer", email: "test@example.com" };
      const { body } = await must(200, "POST", "/register", { username, password: PASSWORD, ...names });
      const { id } = JSON.parse(body) as { readonly id: string };
      jar.clear();
      const authorization = `Basic ${Buffer.from(`${username}:${PASSWORD}`).toString("base64")}`;
      await must(200, "GET", "/login", undefined, { authorization });
      await must(200, "POST", "/addresses", ADDRESS);
      await must(200, "POST", "/cards", CARD);
      return id;
    },
    socks: async () => JSON.parse((await must(200, "GET", "/catalogue")).body) as readonly Sock[],
    // 201 is what the original answers to this GET.
    orders: async () => JSON.parse((await must(201, "GET", "/orders")).body) as readonly ShopOrder[],
    close: () => agent.destroy(),
  };
}

function send(
  agent: Agent,
  method: string,
  url: string,
  body: string | undefined,
  headers: OutgoingHttpHeaders,
): Promise<{ readonly answer: ShopAnswer; readonly setCookies: readonly string[] }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { agent, method, headers, timeout: TIMEOUT_MS }, (incoming) => {
      let text = "";
      incoming.setEncoding("utf8");
      incoming.on("data", (chunk: string) => {
        text += chunk;
      });
      incoming.on("end", () =>
        resolve({
          answer: { status: incoming.statusCode ?? 0, body: text },
          setCookies: cookiesOf(incoming.headers),
        }),
      );
      incoming.on("error", reject);
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer to ${method} ${url} within ${TIMEOUT_MS} ms`)));
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

function cookiesOf(headers: IncomingHttpHeaders): readonly string[] {
  return headers["set-cookie"] ?? [];
}
