/**
 * Which roles and databases a container starts with, from the environment of the original images (postgres, mysql, mongo). The stores of the Sock Shop
 * also have the accounts that their images carry. Pure.
 */
export interface Account {
  readonly role: string;
  readonly password: string;
  readonly database: string;
  readonly isSuperuser: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

const SHOP_STORES: Readonly<Record<string, Account>> = {
  "catalogue-db": { role: "catalogue_user", password: "default_password", database: "socksdb", isSuperuser: false },
  "user-db": { role: "user", password: "user", database: "users", isSuperuser: false },
  "carts-db": { role: "carts", password: "carts", database: "carts", isSuperuser: false },
  "orders-db": { role: "orders", password: "orders", database: "orders", isSuperuser: false },
};

export function accountsFrom(env: Environment): readonly Account[] {
  const accounts: Account[] = [];
  const add = (role: string, password: string | undefined, database: string, isSuperuser: boolean) =>
    accounts.push({ role, password: password ?? "", database, isSuperuser });
  const user = env.POSTGRES_USER ?? "postgres";
  add(user, env.POSTGRES_PASSWORD, env.POSTGRES_DB ?? user, true);
  if (env.MYSQL_ROOT_PASSWORD !== undefined || env.MYSQL_DATABASE !== undefined) {
    add("root", env.MYSQL_ROOT_PASSWORD, env.MYSQL_DATABASE ?? "mysql", true);
  }
  if (env.MYSQL_USER !== undefined)
    add(env.MYSQL_USER, env.MYSQL_PASSWORD, env.MYSQL_DATABASE ?? env.MYSQL_USER, false);
  if (env.MONGO_INITDB_ROOT_USERNAME !== undefined) {
    const database = env.MONGO_INITDB_DATABASE ?? "admin";
    add(env.MONGO_INITDB_ROOT_USERNAME, env.MONGO_INITDB_ROOT_PASSWORD, database, true);
  }
  for (const [name, account] of Object.entries(SHOP_STORES)) {
    // The host name is the pod's: <deployment>-<hash>-<suffix>.
    if ((env.HOSTNAME ?? "").startsWith(`${name}-`)) accounts.push(account);
  }
  return accounts;
}

/** An empty database of the template that takes the name of the first one asked for. */
export const SPARE_DATABASE = "argyle_spare";

/** SQLSTATEs that say that an account is there already: duplicate role, duplicate database, no spare left. */
export const ALREADY_THERE: readonly string[] = ["42710", "42P04", "3D000"];

/** SQL that makes them, in order. Each may fail with one of ALREADY_THERE. */
export function accountStatements(accounts: readonly Account[]): readonly string[] {
  const owners = new Map<string, string>();
  const statements: string[] = [];
  for (const { role, password, database, isSuperuser } of accounts) {
    if (role !== "postgres") {
      const power = isSuperuser ? "SUPERUSER " : "";
      statements.push(`CREATE ROLE ${identifier(role)} ${power}LOGIN PASSWORD ${literal(password)}`);
    } else if (password !== "") statements.push(`ALTER ROLE postgres PASSWORD ${literal(password)}`);
    // A database that several accounts name belongs to the one without superuser rights, who needs it.
    if (database !== "postgres" && (!owners.has(database) || !isSuperuser)) owners.set(database, role);
  }
  for (const [database, role] of owners) {
    const name = identifier(database);
    statements.push(
      `ALTER DATABASE ${SPARE_DATABASE} RENAME TO ${name}`,
      `CREATE DATABASE ${name}`,
      `ALTER DATABASE ${name} OWNER TO ${identifier(role)}`,
    );
  }
  return statements;
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
