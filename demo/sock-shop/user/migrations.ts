/** The schema of user-db and the three customers that the talk logs in with. A migration is never changed once it is released; a new one is added. */
const SCHEMA = `
CREATE TABLE customer (
  id text PRIMARY KEY,
  username text NOT NULL UNIQUE,
  password_hash text NOT NULL,
  email text NOT NULL DEFAULT '',
  first_name text NOT NULL DEFAULT '',
  last_name text NOT NULL DEFAULT ''
);
CREATE TABLE address (
  id text PRIMARY KEY,
  customer_id text REFERENCES customer ON DELETE CASCADE,
  street text NOT NULL,
  number text NOT NULL,
  country text NOT NULL,
  city text NOT NULL,
  postcode text NOT NULL
);
CREATE TABLE card (
  id text PRIMARY KEY,
  customer_id text REFERENCES customer ON DELETE CASCADE,
  long_num text NOT NULL,
  expires text NOT NULL,
  ccv text NOT NULL
);
CREATE INDEX address_by_customer ON address (customer_id);
CREATE INDEX card_by_customer ON card (customer_id);`;

/** Passwords: eve, password, password. */
const SEED = `
INSERT INTO customer (id, username, password_hash, email, first_name, last_name) VALUES
  ('57a98d98e4b00679b4a830af', 'Eve_Berger', 'scrypt$aBqsTRaMhjPdrhga8NJC3w$9tt7YZ1Tp6yIQqAJFYEQjNfLrZ05ZYzQZv3zVx6u8zQ', 'eve@example.com', 'Eve', 'Berger'),
  ('57a98d98e4b00679b4a830b2', 'user', 'scrypt$qvt2qH8eXy688wQ_usjKew$irCJ7jLMpF_ENNyRiQ10dt-nF45DOnEiTDOlx8fztRk', 'user@example.com', 'User', 'Name'),
  ('57a98d98e4b00679b4a830b5', 'user1', 'scrypt$_DuVZu7ZNNDN34w0sOK8XQ$lX8MKfE_8LP1tZMVvMM0XZ3aX5ZM6V1pYvtBudc_Wuc', 'user1@example.com', 'User1', 'Name1');
INSERT INTO address (id, customer_id, street, number, country, city, postcode) VALUES
  ('57a98d98e4b00679b4a830ad', '57a98d98e4b00679b4a830af', 'Loom Lane', '12', 'United Kingdom', 'Glasgow', 'G1 1AA'),
  ('57a98d98e4b00679b4a830b0', '57a98d98e4b00679b4a830b2', 'Weaver Street', '7', 'United Kingdom', 'Glasgow', 'G2 2BB'),
  ('57a98d98e4b00679b4a830b3', '57a98d98e4b00679b4a830b5', 'Needle Row', '3', 'United Kingdom', 'Leeds', 'LS1 3CC'),
  ('57a98ddce4b00679b4a830d1', NULL, 'Yarn Yard', '246', 'United Kingdom', 'London', 'N1 4DD');
INSERT INTO card (id, customer_id, long_num, expires, ccv) VALUES
  ('57a98d98e4b00679b4a830ae', '57a98d98e4b00679b4a830af', '5953580604169678', '08/29', '678'),
  ('57a98d98e4b00679b4a830b1', '57a98d98e4b00679b4a830b2', '5544154011345918', '08/29', '958'),
  ('57a98d98e4b00679b4a830b4', '57a98d98e4b00679b4a830b5', '0908415193175205', '08/29', '280'),
  ('57a98ddce4b00679b4a830d2', NULL, '5429804235432', '04/29', '432');`;

export const MIGRATIONS: readonly string[] = [SCHEMA, SEED];
