/** The socks in PostgreSQL. */
import { openDatabase, type Row } from "@sock-shop/kit/database";
import { MIGRATIONS } from "./migrations.ts";

export interface Sock {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly imageUrl: readonly string[];
  readonly price: number;
  readonly count: number;
  readonly tag: readonly string[];
}

export type SortOrder = "id" | "name" | "price" | "count";

export interface SockQuery {
  readonly tags: readonly string[];
  readonly order: SortOrder;
  /** First page is 1. */
  readonly page: number;
  readonly size: number;
}

export interface SockStore {
  list(query: SockQuery): Promise<readonly Sock[]>;
  count(tags: readonly string[]): Promise<number>;
  find(id: string): Promise<Sock | undefined>;
  tags(): Promise<readonly string[]>;
  /** Rejects when the database does not answer. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

export function createSockStore(url: string): SockStore {
  const database = openDatabase({ url, migrations: MIGRATIONS });
  return {
    async list({ tags, order, page, size }) {
      const rows = await database.query(
        `SELECT ${COLUMNS} FROM sock s WHERE ${BY_TAGS} ORDER BY ${ORDER_BY[order]} LIMIT $2 OFFSET $3`,
        [tags, size, (page - 1) * size],
      );
      return rows.map(toSock);
    },
    async count(tags) {
      const rows = await database.query(`SELECT count(*)::int AS size FROM sock s WHERE ${BY_TAGS}`, [tags]);
      return Number(rows[0]?.size ?? 0);
    },
    async find(id) {
      const rows = await database.query(`SELECT ${COLUMNS} FROM sock s WHERE s.sock_id = $1`, [id]);
      return rows[0] === undefined ? undefined : toSock(rows[0]);
    },
    async tags() {
      return (await database.query("SELECT name FROM tag ORDER BY tag_id")).map((row) => String(row.name));
    },
    ping: () => database.ping(),
    close: () => database.close(),
  };
}

const COLUMNS = `s.sock_id, s.name, s.description, s.image_url_1, s.image_url_2, s.price, s.count,
  ARRAY(SELECT t.name FROM sock_tag st JOIN tag t USING (tag_id) WHERE st.sock_id = s.sock_id ORDER BY t.tag_id) AS tags`;
/** No tags means every sock; several mean any of them. */
const BY_TAGS = `(cardinality($1::text[]) = 0 OR EXISTS (
  SELECT 1 FROM sock_tag st JOIN tag t USING (tag_id) WHERE st.sock_id = s.sock_id AND t.name = ANY($1::text[])))`;
const ORDER_BY: Readonly<Record<SortOrder, string>> = {
  id: "s.sock_id",
  name: "s.name, s.sock_id",
  price: "s.price, s.sock_id",
  count: "s.count, s.sock_id",
};

function toSock(row: Row): Sock {
  return {
    id: String(row.sock_id),
    name: String(row.name),
    description: String(row.description),
    imageUrl: [String(row.image_url_1), String(row.image_url_2)],
    price: Number(row.price),
    count: Number(row.count),
    tag: (row.tags as readonly unknown[]).map(String),
  };
}
