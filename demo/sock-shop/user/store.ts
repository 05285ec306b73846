/** Customers with their addresses and cards in PostgreSQL. Ids are 24 hexadecimal digits, as the original's are. */
import { randomBytes } from "node:crypto";
import { HttpError } from "@sock-shop/kit";
import { openDatabase, type Row } from "@sock-shop/kit/database";
import { MIGRATIONS } from "./migrations.ts";
import { hashPassword, verifyPassword } from "./password.ts";

export interface Customer {
  readonly id: string;
  readonly username: string;
  readonly firstName: string;
  readonly lastName: string;
}

export interface Address {
  readonly id: string;
  readonly street: string;
  readonly number: string;
  readonly country: string;
  readonly city: string;
  readonly postcode: string;
}

export interface Card {
  readonly id: string;
  readonly longNum: string;
  readonly expires: string;
  readonly ccv: string;
}

export interface Registration {
  readonly username: string;
  readonly password: string;
  readonly email: string;
  readonly firstName: string;
  readonly lastName: string;
}

export interface UserStore {
  /** The customer whose password fits, else undefined; unknown names take as long as known ones. */
  authenticate(username: string, password: string): Promise<Customer | undefined>;
  /** Throws HttpError 409 when the name is taken. */
  register(registration: Registration): Promise<string>;
  customers(): Promise<readonly Customer[]>;
  customer(id: string): Promise<Customer | undefined>;
  addresses(customerId?: string): Promise<readonly Address[]>;
  address(id: string): Promise<Address | undefined>;
  addAddress(address: Omit<Address, "id">, customerId: string | undefined): Promise<string>;
  cards(customerId?: string): Promise<readonly Card[]>;
  card(id: string): Promise<Card | undefined>;
  addCard(card: Omit<Card, "id">, customerId: string | undefined): Promise<string>;
  /** False when there was nothing to delete. */
  remove(kind: "customer" | "address" | "card", id: string): Promise<boolean>;
  ping(): Promise<void>;
  close(): Promise<void>;
}

const UNIQUE_VIOLATION = "23505";
const FOREIGN_KEY_VIOLATION = "23503";
/** Compared with when a name is unknown, so that the answer's time does not tell which names exist. */
const NOBODY = hashPassword(randomBytes(16).toString("hex"));

export function createUserStore(url: string): UserStore {
  const database = openDatabase({ url, migrations: MIGRATIONS });
  const insert = async (text: string, values: readonly unknown[]) => {
    try {
      await database.query(text, values);
    } catch (error) {
      const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
      if (code === UNIQUE_VIOLATION) throw new HttpError(409, "this username is taken", error);
      if (code === FOREIGN_KEY_VIOLATION) throw new HttpError(404, "there is no such customer", error);
      throw error;
    }
  };
  return {
    async authenticate(username, password) {
      const [row] = await database.query("SELECT * FROM customer WHERE username = $1", [username]);
      const fits = await verifyPassword(password, row === undefined ? await NOBODY : String(row.password_hash));
      return row !== undefined && fits ? toCustomer(row) : undefined;
    },
    async register({ username, password, email, firstName, lastName }) {
      const id = newId();
      await insert(
        "INSERT INTO customer (id, username, password_hash, email, first_name, last_name) VALUES ($1, $2, $3, $4, $5, $6)",
        [id, username, await hashPassword(password), email, firstName, lastName],
      );
      return id;
    },
    customers: async () => (await database.query("SELECT * FROM customer ORDER BY id")).map(toCustomer),
    async customer(id) {
      return first(await database.query("SELECT * FROM customer WHERE id = $1", [id]), toCustomer);
    },
    addresses: async (customerId) => (await database.query(...listOf("address", customerId))).map(toAddress),
    async address(id) {
      return first(await database.query("SELECT * FROM address WHERE id = $1", [id]), toAddress);
    },
    async addAddress({ street, number, country, city, postcode }, customerId) {
      const id = newId();
      await insert(
        "INSERT INTO address (id, customer_id, street, number, country, city, postcode) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [id, customerId ?? null, street, number, country, city, postcode],
      );
      return id;
    },
    cards: async (customerId) => (await database.query(...listOf("card", customerId))).map(toCard),
    async card(id) {
      return first(await database.query("SELECT * FROM card WHERE id = $1", [id]), toCard);
    },
    async addCard({ longNum, expires, ccv }, customerId) {
      const id = newId();
      await insert("INSERT INTO card (id, customer_id, long_num, expires, ccv) VALUES ($1, $2, $3, $4, $5)", [
        id,
        customerId ?? null,
        longNum,
        expires,
        ccv,
      ]);
      return id;
    },
    async remove(kind, id) {
      return (await database.query(`DELETE FROM ${kind} WHERE id = $1 RETURNING id`, [id])).length > 0;
    },
    ping: () => database.ping(),
    close: () => database.close(),
  };
}

function listOf(table: "address" | "card", customerId: string | undefined): [text: string, values: readonly unknown[]] {
  return customerId === undefined
    ? [`SELECT * FROM ${table} ORDER BY id`, []]
    : [`SELECT * FROM ${table} WHERE customer_id = $1 ORDER BY id`, [customerId]];
}

function first<T>(rows: readonly Row[], convert: (row: Row) => T): T | undefined {
  return rows[0] === undefined ? undefined : convert(rows[0]);
}

function newId(): string {
  return randomBytes(12).toString("hex");
}

function toCustomer(row: Row): Customer {
  return {
    id: String(row.id),
    username: String(row.username),
    firstName: String(row.first_name),
    lastName: String(row.last_name),
  };
}

function toAddress(row: Row): Address {
  return {
    id: String(row.id),
    street: String(row.street),
    number: String(row.number),
    country: String(row.country),
    city: String(row.city),
    postcode: String(row.postcode),
  };
}

function toCard(row: Row): Card {
  return { id: String(row.id), longNum: String(row.long_num), expires: String(row.expires), ccv: String(row.ccv) };
}
