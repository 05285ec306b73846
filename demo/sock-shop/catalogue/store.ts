/**
 * The socks in PostgreSQL. The service owns its schema: migrations run, in order and once, before the first query,
 * under an advisory lock so that replicas may start together. The database may come later than we do: every use tries again.
 */
import pg from "pg";
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

const MIGRATION_LOCK = 7_251_001;

export function createSockStore(url: string): SockStore {
  const pool = new pg.Pool({ connectionString: url, max: 4, connectionTimeoutMillis: 2000, idleTimeoutMillis: 60_000 });
  // An idle connection that breaks is replaced at the next query; without a listener it would end the process.
  pool.on("error", () => undefined);
  let migrated: Promise<void> | undefined;
  const ready = () => {
    migrated ??= migrate(pool).catch((error: unknown) => {
      migrated = undefined;
      throw error;
    });
    return migrated;
  };
  const query = async (text: string, values: readonly unknown[] = []) => {
    await ready();
    return (await pool.query(text, [...values])).rows as Record<string, unknown>[];
  };
  return {
    async list({ tags, order, page, size }) {
      const rows = await query(
        `SELECT ${COLUMNS} FROM sock s WHERE ${BY_TAGS} ORDER BY ${ORDER_BY[order]} LIMIT $2 OFFSET $3`,
        [tags, size, (page - 1) * size],
      );
      return rows.map(toSock);
    },
    async count(tags) {
      const rows = await query(`SELECT count(*)::int AS size FROM sock s WHERE ${BY_TAGS}`, [tags]);
      return Number(rows[0]?.size ?? 0);
    },
    async find(id) {
      const rows = await query(`SELECT ${COLUMNS} FROM sock s WHERE s.sock_id = $1`, [id]);
      return rows[0] === undefined ? undefined : toSock(rows[0]);
    },
    async tags() {
      return (await query("SELECT name FROM tag ORDER BY tag_id")).map((row) => String(row.name));
    },
    async ping() {
      await query("SELECT 1");
    },
    close: () => pool.end(),
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

async function migrate(pool: pg.Pool): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    await client.query("SELECT pg_advisory_xact_lock($1)", [MIGRATION_LOCK]);
    await client.query(
      "CREATE TABLE IF NOT EXISTS schema_migration (version int PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())",
    );
    const done = new Set(
      (await client.query("SELECT version FROM schema_migration")).rows.map((row) => Number(row.version)),
    );
    for (const [index, statements] of MIGRATIONS.entries()) {
      if (done.has(index + 1)) continue;
      await client.query(statements);
      await client.query("INSERT INTO schema_migration (version) VALUES ($1)", [index + 1]);
    }
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK").catch(() => undefined);
    throw error;
  } finally {
    client.release();
  }
}

function toSock(row: Readonly<Record<string, unknown>>): Sock {
  return {
    id: String(row.sock_id),
    name: String(row.name),
    description: String(row.description),
    imageUrl: [String(row.image_url_1), String(row.image_url_2)],
    price: Number(row.price),
    count: Number(row.count),
    tag: (row.tags as string[]).map(String),
  };
}
