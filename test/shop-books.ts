/**
 * The shop's books after a load with deaths in it: what customers were promised, the orders that stand, the payments and the shipments, compared with each
 * other. Payments and shipments come from the logs of all the containers that payment and queue-master have had.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "@argyle/testkit";
import { type CustomerRecord, compareOrders } from "./checkout-load.ts";
import type { MiniCluster } from "./mini-cluster.ts";
import type { ShopOrder, Sock } from "./shopper.ts";

export interface Books {
  readonly problems: readonly string[];
  readonly checkouts: number;
  readonly acknowledged: number;
  readonly standing: number;
  readonly paid: number;
  readonly takenBack: number;
  /** Of acknowledged orders, not seen by queue-master. */
  readonly shipmentsMissing: number;
}

/** The beginning of the books: payments of before are not of these customers. */
export interface BooksBefore {
  readonly payments: ReadonlySet<string>;
  readonly socks: readonly Sock[];
}

/** What was left in the middle is taken up after 15 s (demo/sock-shop/orders). */
const SETTLED_WITHIN_MS = 40_000;

export function openBooks(cluster: MiniCluster, socks: readonly Sock[]): BooksBefore {
  return { payments: new Set(readPayments(cluster).authorised), socks };
}

export async function closeBooks(
  cluster: MiniCluster,
  before: BooksBefore,
  customers: readonly CustomerRecord[],
): Promise<Books> {
  const prices = new Map(before.socks.map(({ id, price }) => [id, price]));
  const list = () => Promise.all(customers.map(({ shopper }) => shopper.orders()));
  const ownPayments = () => {
    const { authorised, voided } = readPayments(cluster);
    return { authorised: authorised.filter((key) => !before.payments.has(key)), voided: new Set(voided) };
  };
  const unbalanced = async () => {
    const { authorised, voided } = ownPayments();
    const standing = new Set((await list()).flat().map(({ id }) => id));
    const kept = new Set(authorised.filter((key) => !voided.has(key)));
    return [
      ...[...standing].filter((id) => !kept.has(id)).map((id) => `order ${id} is not paid`),
      ...[...kept].filter((key) => !standing.has(key)).map((key) => `payment ${key} has no order`),
    ];
  };
  const promised = customers.flatMap((customer) => customer.promised);
  const missing = () => {
    const shipped = new Set(fieldsLogged(cluster, "queue-master", /^Received shipment task/, "id"));
    return promised.filter(({ order }) => !shipped.has(order.shipment.id)).length;
  };
  // What is still wrong after that is what is reported.
  await eventually(
    "the books balance",
    async () => {
      if ((await unbalanced()).length > 0 || missing() > 0) throw new Error("not yet");
    },
    SETTLED_WITHIN_MS,
    500,
  ).catch(() => undefined);

  const lists = await list();
  const { authorised, voided } = ownPayments();
  const guest = customers[0]?.shopper;
  const stock = (socks: readonly Sock[]) => JSON.stringify(socks.map(({ id, count }) => [id, count]));
  return {
    problems: [
      ...customers.flatMap((customer, i) => compareOrders(customer, lists[i] ?? [], prices)),
      ...(await unbalanced()),
      ...repeated(authorised).map((key) => `order ${key} was paid twice`),
      ...(guest !== undefined && stock(await guest.socks()) !== stock(before.socks)
        ? ["the stock is another one"]
        : []),
    ],
    checkouts: customers.reduce((sum, { attempts }) => sum + attempts, 0),
    acknowledged: promised.length,
    standing: lists.reduce((sum, orders: readonly ShopOrder[]) => sum + orders.length, 0),
    paid: authorised.length,
    takenBack: authorised.filter((key) => voided.has(key)).length,
    shipmentsMissing: missing(),
  };
}

function readPayments(cluster: MiniCluster): {
  readonly authorised: readonly string[];
  readonly voided: readonly string[];
} {
  return {
    authorised: fieldsLogged(cluster, "payment", /^payment authorised$/, "key"),
    voided: fieldsLogged(cluster, "payment", /^payment voided$/, "key"),
  };
}

/** Values of `field` in the JSON lines whose message matches, in the logs of all containers of that name, dead ones too. */
function fieldsLogged(cluster: MiniCluster, container: string, message: RegExp, field: string): readonly string[] {
  const pods = join(cluster.stateDir, "pods");
  return readdirSync(pods).flatMap((uid) => {
    const dir = join(pods, uid, container);
    if (!existsSync(dir)) return [];
    return readdirSync(dir)
      .filter((file) => file.includes(".log"))
      .flatMap((file) => fieldsIn(readFileSync(join(dir, file), "utf8"), message, field));
  });
}

/** CRI: `time stream tag text`. */
function fieldsIn(log: string, message: RegExp, field: string): readonly string[] {
  return log.split("\n").flatMap((line) => {
    const text = /^\S+ \S+ \S+ (\{.*\})$/.exec(line)?.[1];
    if (text === undefined) return [];
    const entry = JSON.parse(text) as Readonly<Record<string, unknown>>;
    return message.test(String(entry.msg)) ? [String(entry[field])] : [];
  });
}

function repeated(keys: readonly string[]): readonly string[] {
  return [...new Set(keys.filter((key, i) => keys.indexOf(key) !== i))];
}
