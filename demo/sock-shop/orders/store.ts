/** Orders in PostgreSQL, each kept whole as it was acknowledged. */
import { openDatabase, type Row } from "@sock-shop/kit";

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
  save(order: Order): Promise<void>;
  find(id: string): Promise<Order | undefined>;
  /** Oldest first; of one customer, or of all. */
  list(customerId?: string): Promise<readonly Order[]>;
  ping(): Promise<void>;
  close(): Promise<void>;
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
];

export function createOrderStore(url: string): OrderStore {
  const database = openDatabase({ url, migrations: MIGRATIONS });
  const toOrder = (row: Row) => row.document as Order;
  return {
    async save(order) {
      await database.query(
        "INSERT INTO customer_order (id, customer_id, placed_at, total, document) VALUES ($1, $2, $3, $4, $5)",
        [order.id, order.customerId, order.date, order.total, JSON.stringify(order)],
      );
    },
    async find(id) {
      const [row] = await database.query("SELECT document FROM customer_order WHERE id = $1", [id]);
      return row === undefined ? undefined : toOrder(row);
    },
    async list(customerId) {
      const rows =
        customerId === undefined
          ? await database.query("SELECT document FROM customer_order ORDER BY placed_at, id")
          : await database.query("SELECT document FROM customer_order WHERE customer_id = $1 ORDER BY placed_at, id", [
              customerId,
            ]);
      return rows.map(toOrder);
    },
    ping: () => database.ping(),
    close: () => database.close(),
  };
}
