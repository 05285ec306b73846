/** Carts in PostgreSQL: one row an item, a cart exists as soon as somebody asks for it. */
import { randomBytes } from "node:crypto";
import { openDatabase, type Row } from "@sock-shop/kit/database";

export interface Item {
  readonly id: string;
  readonly itemId: string;
  readonly quantity: number;
  readonly unitPrice: number;
}

export interface Cart {
  readonly id: string;
  readonly customerId: string;
  readonly items: readonly Item[];
}

export interface CartStore {
  cart(customerId: string): Promise<Cart>;
  item(customerId: string, itemId: string): Promise<Item | undefined>;
  /** Adds to what is there already; undefined, and nothing done, when that would be more than MAX_QUANTITY. */
  add(customerId: string, item: Omit<Item, "id">): Promise<Item | undefined>;
  /** Sets the quantity (and the price, if given); an item that is not there is added. */
  set(
    customerId: string,
    item: { readonly itemId: string; readonly quantity: number; readonly unitPrice?: number },
  ): Promise<void>;
  removeItem(customerId: string, itemId: string): Promise<boolean>;
  remove(customerId: string): Promise<void>;
  /** Moves everything from one cart into another; quantities of the same sock add up, to MAX_QUANTITY at most. */
  merge(fromCustomerId: string, toCustomerId: string): Promise<void>;
  ping(): Promise<void>;
  close(): Promise<void>;
}

const MIGRATIONS = [
  `
CREATE TABLE cart_item (
  id text PRIMARY KEY,
  customer_id text NOT NULL,
  item_id text NOT NULL,
  quantity int NOT NULL CHECK (quantity > 0),
  unit_price numeric(10, 2) NOT NULL CHECK (unit_price >= 0),
  added_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (customer_id, item_id)
);`,
];

/** Of one item in one cart. */
export const MAX_QUANTITY = 1_000_000;

const INSERT = "INSERT INTO cart_item (id, customer_id, item_id, quantity, unit_price) VALUES ($1, $2, $3, $4, $5)";
const ADD = `${INSERT} ON CONFLICT (customer_id, item_id) DO UPDATE SET quantity = cart_item.quantity + excluded.quantity
  WHERE cart_item.quantity + excluded.quantity <= ${MAX_QUANTITY} RETURNING *`;
const MERGE = `${INSERT} ON CONFLICT (customer_id, item_id)
  DO UPDATE SET quantity = least(cart_item.quantity + excluded.quantity, ${MAX_QUANTITY})`;

export function createCartStore(url: string): CartStore {
  const database = openDatabase({ url, migrations: MIGRATIONS });
  const items = async (customerId: string) =>
    (await database.query("SELECT * FROM cart_item WHERE customer_id = $1 ORDER BY added_at, id", [customerId])).map(
      toItem,
    );
  return {
    cart: async (customerId) => ({ id: customerId, customerId, items: await items(customerId) }),
    item: async (customerId, itemId) => (await items(customerId)).find((item) => item.itemId === itemId),
    async add(customerId, { itemId, quantity, unitPrice }) {
      const [row] = await database.query(ADD, [newId(), customerId, itemId, quantity, unitPrice]);
      return row === undefined ? undefined : toItem(row);
    },
    async set(customerId, { itemId, quantity, unitPrice }) {
      await database.query(
        `INSERT INTO cart_item (id, customer_id, item_id, quantity, unit_price) VALUES ($1, $2, $3, $4, coalesce($5::numeric, 0))
         ON CONFLICT (customer_id, item_id) DO UPDATE SET quantity = $4, unit_price = coalesce($5::numeric, cart_item.unit_price)`,
        [newId(), customerId, itemId, quantity, unitPrice ?? null],
      );
    },
    async removeItem(customerId, itemId) {
      const rows = await database.query("DELETE FROM cart_item WHERE customer_id = $1 AND item_id = $2 RETURNING id", [
        customerId,
        itemId,
      ]);
      return rows.length > 0;
    },
    async remove(customerId) {
      await database.query("DELETE FROM cart_item WHERE customer_id = $1", [customerId]);
    },
    async merge(from, to) {
      if (from === to) return;
      await database.transaction(async (query) => {
        for (const row of await query("DELETE FROM cart_item WHERE customer_id = $1 RETURNING *", [from])) {
          const item = toItem(row);
          await query(MERGE, [item.id, to, item.itemId, item.quantity, item.unitPrice]);
        }
      });
    },
    ping: () => database.ping(),
    close: () => database.close(),
  };
}

function newId(): string {
  return randomBytes(12).toString("hex");
}

function toItem(row: Row): Item {
  return {
    id: String(row.id),
    itemId: String(row.item_id),
    quantity: Number(row.quantity),
    unitPrice: Number(row.unit_price),
  };
}
