import assert from "node:assert/strict";
import { test } from "node:test";
import { accountStatements, accountsFrom } from "./accounts.ts";

const database = (name: string, owner: string) => [
  `ALTER DATABASE argyle_spare RENAME TO "${name}"`,
  `CREATE DATABASE "${name}"`,
  `ALTER DATABASE "${name}" OWNER TO "${owner}"`,
];

const cases = [
  { name: "nothing set", env: {}, sql: [] },
  {
    name: "postgres",
    env: { POSTGRES_USER: "app", POSTGRES_PASSWORD: "it's", POSTGRES_DB: "shop" },
    sql: [`CREATE ROLE "app" SUPERUSER LOGIN PASSWORD 'it''s'`, ...database("shop", "app")],
  },
  {
    name: "mysql",
    env: { MYSQL_ROOT_PASSWORD: "r", MYSQL_DATABASE: "d", MYSQL_USER: "u", MYSQL_PASSWORD: "p" },
    sql: [
      `CREATE ROLE "root" SUPERUSER LOGIN PASSWORD 'r'`,
      `CREATE ROLE "u" LOGIN PASSWORD 'p'`,
      ...database("d", "u"),
    ],
  },
  {
    name: "the catalogue's store",
    env: { MYSQL_ROOT_PASSWORD: "fake_password", MYSQL_DATABASE: "socksdb", HOSTNAME: "catalogue-db-5d9f-x" },
    sql: [
      `CREATE ROLE "root" SUPERUSER LOGIN PASSWORD 'fake_password'`,
      `CREATE ROLE "catalogue_user" LOGIN PASSWORD 'default_password'`,
      ...database("socksdb", "catalogue_user"),
    ],
  },
  {
    name: "the store of carts",
    env: { HOSTNAME: "carts-db-7-x" },
    sql: [`CREATE ROLE "carts" LOGIN PASSWORD 'carts'`, ...database("carts", "carts")],
  },
];
for (const c of cases) {
  test(`makes accounts for ${c.name}`, () => assert.deepEqual(accountStatements(accountsFrom(c.env)), c.sql));
}
