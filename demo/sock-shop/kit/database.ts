/**
 * A service's own PostgreSQL. The service owns its schema: migrations run, in order and once, before the first query, under an advisory lock
 * so that replicas may start together. The database may come later than the service: every use tries again. It may also come back empty (a store
 * without a volume that was restarted): a table that is missing is a reason to migrate again.
 */
import pg from "pg";

export type Row = Readonly<Record<string, unknown>>;

export interface Database {
  query(text: string, values?: readonly unknown[]): Promise<readonly Row[]>;
  /** All statements of `work` take effect, or none. */
  transaction<T>(work: (query: Database["query"]) => Promise<T>): Promise<T>;
  /** Rejects when the database does not answer. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  readonly url: string;
  /** SQL scripts; a released one is never changed, a new one is added. */
  readonly migrations: readonly string[];
}

const MIGRATION_LOCK = 7_251_001;

export function openDatabase({ url, migrations }: DatabaseOptions): Database {
  const pool = new pg.Pool({ connectionString: url, max: 4, connectionTimeoutMillis: 2000, idleTimeoutMillis: 60_000 });
  // An idle connection that breaks is replaced at the next query; without a listener it would end the process.
  pool.on("error", () => undefined);
  let migrated: Promise<void> | undefined;
  const ready = () => {
    migrated ??= migrate(pool, migrations).catch((error: unknown) => {
      migrated = undefined;
      throw error;
    });
    return migrated;
  };
  const onSchema = async <T>(work: () => Promise<T>): Promise<T> => {
    const schema = ready();
    await schema;
    try {
      return await work();
    } catch (error) {
      if (!isMissingTable(error)) throw error;
      // Of all that fail at the same time, the first migrates and the others wait with it.
      if (migrated === schema) migrated = undefined;
      await ready();
      return await work();
    }
  };
  const query: Database["query"] = (text, values = []) =>
    onSchema(async () => (await pool.query(text, [...values])).rows);
  return {
    query,
    transaction: (work) =>
      onSchema(() =>
        inTransaction(pool, (client) =>
          work(async (text, values = []) => (await client.query(text, [...values])).rows),
        ),
      ),
    async ping() {
      await query("SELECT 1");
    },
    close: () => pool.end(),
  };
}

/** https://www.postgresql.org/docs/18/errcodes-appendix.html */
const UNDEFINED_TABLE = "42P01";

function isMissingTable(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === UNDEFINED_TABLE;
}

function migrate(pool: pg.Pool, migrations: readonly string[]): Promise<void> {
  return inTransaction(pool, async (client) => {
    await client.query("SELECT pg_advisory_xact_lock($1)", [MIGRATION_LOCK]);
    await client.query(
      "CREATE TABLE IF NOT EXISTS schema_migration (version int PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())",
    );
    const done = new Set(
      (await client.query("SELECT version FROM schema_migration")).rows.map((row) => Number(row.version)),
    );
    for (const [index, statements] of migrations.entries()) {
      if (done.has(index + 1)) continue;
      await client.query(statements);
      await client.query("INSERT INTO schema_migration (version) VALUES ($1)", [index + 1]);
    }
  });
}

async function inTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query("BEGIN");
    const value = await work(client);
    await client.query("COMMIT");
    return value;
  } catch (error) {
    await client.query("ROLLBACK").catch((rollbackError: Error) => {
      broken = rollbackError;
    });
    throw error;
  } finally {
    // A connection that can't roll back is not given to anybody else.
    client.release(broken);
  }
}
