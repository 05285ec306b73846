import assert from "node:assert/strict";
import { test } from "node:test";
import { createImageIndex, parseImageName } from "./image-index.ts";

const index = createImageIndex(
  [
    {
      id: "front-end",
      names: ["weaveworksdemos/front-end"],
      directory: "images/front-end",
      env: { A: "1" },
      variants: { "red-buttons": { env: { COLOR: "red" } } },
    },
    { id: "redis", names: ["redis"], directory: "images/redis" },
    {
      id: "postgres",
      names: ["postgres", "mongo"],
      directory: "images/postgres",
      onlyFor: { mongo: ["carts-db", "orders-db"] },
    },
  ],
  "/dist",
);

const found = [
  { image: "weaveworksdemos/front-end:0.3.12", id: "front-end", env: { A: "1" } },
  { image: "weaveworksdemos/front-end:red-buttons", id: "front-end", env: { A: "1", COLOR: "red" } },
  { image: "docker.io/weaveworksdemos/front-end:0.3.12", id: "front-end", env: { A: "1" } },
  { image: "redis", id: "redis", env: {} },
  { image: "docker.io/library/redis:alpine", id: "redis", env: {} },
  { image: `redis:alpine@sha256:${"ab".repeat(32)}`, id: "redis", env: {} },
  { image: "localhost:5000/redis:7", id: "redis", env: {} },
  { image: "host", id: "host", env: {} },
];
for (const c of found) {
  test(`resolves ${c.image}`, () => {
    const result = index.resolve(c.image, {});
    assert.ok(result.ok);
    assert.equal(result.value.entry.id, c.id);
    assert.deepEqual(result.value.env, c.env);
  });
}

const missing = [
  { image: "weaveworksdemos/frontend:1", reason: "ErrImageNotInIndex", says: /near names: weaveworksdemos\/front-end/ },
  { image: "redi", reason: "ErrImageNotInIndex", says: /near names: redis/ },
  { image: "nginx:1.27", reason: "ErrImageNotInIndex", says: /image: host with a command/ },
  { image: "mysql:8", reason: "ErrImageNotInIndex", says: /use image postgres/ },
  { image: "mongo:4.2.22", reason: "ErrImageNotInIndex", says: /inside Sock Shop the name means PostgreSQL/ },
  { image: "Bad Name", reason: "InvalidImageName", says: /not a valid image name/ },
];
for (const c of missing) {
  test(`refuses ${c.image} with advice`, () => {
    const result = index.resolve(c.image, { name: "shop" });
    assert.ok(!result.ok);
    assert.equal(result.error.reason, c.reason);
    assert.match(result.error.message, c.says);
  });
}

test("a restricted name is found for the pods that may use it", () => {
  assert.ok(index.resolve("mongo:4.2.22", { name: "carts-db" }).ok);
  assert.ok(index.resolve("mongo", { app: "orders-db" }).ok);
});

test("splits repository and tag", () => {
  assert.deepEqual(parseImageName("rabbitmq:3.6.8-management"), { repository: "rabbitmq", tag: "3.6.8-management" });
});
