/** The catalogue's schema and its socks. A migration is never changed once it is released; a new one is added. */
import { SOCKS, TAGS } from "./socks.ts";

const quote = (text: string) => `'${text.replaceAll("'", "''")}'`;

const SCHEMA = `
CREATE TABLE sock (
  sock_id text PRIMARY KEY,
  name text NOT NULL,
  description text NOT NULL,
  price numeric(8, 2) NOT NULL CHECK (price >= 0),
  count int NOT NULL CHECK (count >= 0),
  image_url_1 text NOT NULL,
  image_url_2 text NOT NULL
);
CREATE TABLE tag (tag_id int PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE sock_tag (
  sock_id text NOT NULL REFERENCES sock,
  tag_id int NOT NULL REFERENCES tag,
  PRIMARY KEY (sock_id, tag_id)
);`;

const SEED = [
  ...TAGS.map((name, i) => `INSERT INTO tag VALUES (${i + 1}, ${quote(name)});`),
  ...SOCKS.flatMap((sock) => [
    `INSERT INTO sock VALUES (${[sock.id, sock.name, sock.description].map(quote).join(", ")}, ${sock.price}, ${sock.count}, ${quote(
      `/catalogue/images/${sock.picture}_1.svg`,
    )}, ${quote(`/catalogue/images/${sock.picture}_2.svg`)});`,
    ...sock.tags.map((tag) => `INSERT INTO sock_tag VALUES (${quote(sock.id)}, ${TAGS.indexOf(tag) + 1});`),
  ]),
].join("\n");

export const MIGRATIONS: readonly string[] = [SCHEMA, SEED];
