/** Orders in PostgreSQL, each kept whole as it was acknowledged, with how far it has come. */
import { type Database, openDatabase, type Row } from "@sock-shop/kit/database";

export interface OrderItem {
  readonly id: string;
  readonly itemId: string;
  readonly quantity: number;
  readonly unitPrice: number;
}

export interface Order {
  readonly id: string;
  readonly customerId: string;
  readonly customer: Readonly<Record<string, unknown>>;
  readonly address: Readonly<Record<string, unknown>>;
  readonly card: Readonly<Record<string, unknown>>;
  readonly items: readonly OrderItem[];
  readonly shipment: { readonly id: string; readonly name: string };
  /** RFC 3339. */
  readonly date: string;
  readonly total: number;
}

export interface OrderStore {
  /** Only orders that stand are found and listed. */
  find(id: string): Promise<Order | undefined>;
  /** Oldest first; of one customer, or of all. */
  list(customerId?: string): Promise<readonly Order[]>;
  readonly steps: OrderSteps;
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** pending: nobody knows whether it is paid. paid: it stands, shipping is still to be asked. cancelled: a payment, if any, is still to be taken back. */
export type Step = "pending" | "paid" | "placed" | "cancelled";

export interface OrderSteps {
  /** Keeps the order, pending. */
  begin(order: Order): Promise<void>;
  /** False when the order is at none of the steps `from`. */
  advance(id: string, from: readonly Step[], to: Step): Promise<boolean>;
  /** Forgets an order that never stood. */
  drop(id: string): Promise<void>;
  /** Some of the cancelled ones, and of those that have been pending or paid for longer than that. */
  unfinished(longerThanMs: number): Promise<readonly { readonly order: Order; readonly step: Step }[]>;
}

const MIGRATIONS = [
  `
CREATE TABLE customer_order (
  id text PRIMARY KEY,
  customer_id text NOT NULL,
  placed_at timestamptz NOT NULL,
  total numeric(12, 2) NOT NULL,
  document jsonb NOT NULL
);
CREATE INDEX customer_order_by_customer ON customer_order (customer_id, placed_at);`,
  `
ALTER TABLE customer_order ADD COLUMN step text NOT NULL DEFAULT 'placed', ADD COLUMN step_since timestamptz NOT NULL DEFAULT now();
CREATE INDEX customer_order_unfinished ON customer_order (step_since) WHERE step <> 'placed';`,
];

const STANDS = "step IN ('paid', 'placed')";

export function createOrderStore(url: string): OrderStore {
  const database = openDatabase({ url, migrations: MIGRATIONS });
  return {
    async find(id) {
      const [row] = await database.query(`SELECT document FROM customer_order WHERE id = $1 AND ${STANDS}`, [id]);
      return row === undefined ? undefined : toOrder(row);
    },
    async list(customerId) {
      const select = `SELECT document FROM customer_order WHERE ${STANDS}`;
      const rows =
        customerId === undefined
          ? await database.query(`${select} ORDER BY placed_at, id`)
          : await database.query(`${select} AND customer_id = $1 ORDER BY placed_at, id`, [customerId]);
      return rows.map(toOrder);
    },
    steps: createOrderSteps(database),
    ping: () => database.ping(),
    close: () => database.close(),
  };
}

function createOrderSteps(database: Database): OrderSteps {
  return {
    async begin(order) {
      await database.query(
        "INSERT INTO customer_order (id, customer_id, placed_at, total, document, step) VALUES ($1, $2, $3, $4, $5, 'pending')",
        [order.id, order.customerId, order.date, order.total, JSON.stringify(order)],
      );
    },
    async advance(id, from, to) {
      const rows = await database.query(
        "UPDATE customer_order SET step = $3, step_since = now() WHERE id = $1 AND step = ANY($2) RETURNING id",
        [id, from, to],
      );
      return rows.length > 0;
    },
    async drop(id) {
      await database.query("DELETE FROM customer_order WHERE id = $1 AND step IN ('pending', 'cancelled')", [id]);
    },
    async unfinished(longerThanMs) {
      // In no order: one that can't be finished holds up nobody.
      const rows = await database.query(
        `SELECT document, step FROM customer_order
         WHERE step = 'cancelled' OR (step IN ('pending', 'paid') AND step_since < now() - $1 * interval '1 millisecond')
         ORDER BY random() LIMIT 100`,
        [longerThanMs],
      );
      return rows.map((row) => ({ order: toOrder(row), step: row.step as Step }));
    },
  };
}

function toOrder(row: Row): Order {
  return row.document as Order;
}
