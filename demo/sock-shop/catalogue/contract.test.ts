/** The catalogue's API on a real PostgreSQL: what the original answers, and what bad requests get. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { onPostgres } from "../kit/test/on-postgres.ts";
import { assertRefused } from "../kit/test/stage.ts";
import { createCatalogueService } from "./service.ts";
import { createSockStore, type Sock } from "./store.ts";

const catalogue = onPostgres("socksdb", (url) => {
  const store = createSockStore(url);
  return { service: createCatalogueService(store, () => undefined), close: () => store.close() };
});
const { skip } = catalogue;

const list = async (query: string) => (await catalogue.ask("GET", `/catalogue${query}`)).json as Sock[];

test("ten socks in the original's form, prices as numbers", { skip }, async () => {
  const socks = await list("");
  assert.equal(socks.length, 10);
  const weave = socks.find((sock) => sock.name === "Weave special");
  assert.deepEqual([weave?.price, weave?.count, weave?.tag, weave?.imageUrl.length], [17.15, 33, ["geek", "black"], 2]);
  const one = await catalogue.ask("GET", `/catalogue/${weave?.id}`);
  assert.deepEqual(one.json, weave);
});

test("a database that comes back empty gets its socks again, without a restart of the service", { skip }, async () => {
  const before = await list("");
  await catalogue.loseEverything();
  const [after, again] = await Promise.all([list(""), list("")]);
  assert.deepEqual([after, again], [before, before]);
});

test("pages do not overlap, tags are any-of", { skip }, async () => {
  const pages = [await list("?size=6"), await list("?size=6&page=2"), await list("?size=6&page=3")];
  assert.deepEqual(
    pages.map((page) => page.length),
    [6, 4, 0],
  );
  assert.equal(new Set(pages.flat().map((sock) => sock.id)).size, 10);
  const [geek, formal, both] = [await list("?tags=geek"), await list("?tags=formal"), await list("?tags=geek,formal")];
  assert.equal(both.length, new Set([...geek, ...formal].map((sock) => sock.id)).size);
  const { json } = await catalogue.ask("GET", "/catalogue/size?tags=geek,formal");
  assert.deepEqual(json, { size: both.length, err: null });
  assert.deepEqual([await list("?page=0"), await list("?size=0"), await list("?tags=none")], [[], [], []]);
});

test("sorts by price", { skip }, async () => {
  const prices = (await list("?sort=price")).map((sock) => sock.price);
  assert.deepEqual(
    prices,
    [...prices].sort((a, b) => a - b),
  );
});

test("tags, pictures, health", { skip }, async () => {
  const { tags, err } = (await catalogue.ask("GET", "/tags")).json as { tags: string[]; err: null };
  assert.deepEqual([tags.length, err], [11, null]);
  for (const path of (await list("")).flatMap((sock) => sock.imageUrl)) {
    const { status, type } = await catalogue.ask("GET", path);
    assert.deepEqual([path, status, type.split("/")[0]], [path, 200, "image"]);
  }
  const { health } = (await catalogue.ask("GET", "/health")).json as { health: { service: string; status: string }[] };
  assert.deepEqual(
    health.map((each) => [each.service, each.status]),
    [
      ["catalogue", "OK"],
      ["catalogue-db", "OK"],
    ],
  );
});

const SQL = encodeURIComponent("' OR '1'='1");
const bad = [
  { name: "an unknown sock", path: "/catalogue/none", status: 404 },
  { name: "SQL for an id", path: `/catalogue/${SQL}`, status: 404 },
  { name: "a NUL for an id", path: "/catalogue/a%00b", status: 404 },
  { name: "a NUL in a tag", path: "/catalogue?tags=a%00b", status: 400 },
  { name: "an unknown order", path: `/catalogue?sort=${SQL}`, status: 400 },
  { name: "a negative page", path: "/catalogue?page=-1", status: 400 },
  { name: "a page beyond counting", path: "/catalogue?page=9007199254740991&size=100", status: 400 },
  { name: "half a page", path: "/catalogue?size=1.5", status: 400 },
  { name: "a size that is no number", path: "/catalogue?size=all", status: 400 },
  { name: "a picture that is not there", path: "/catalogue/images/none.svg", status: 404 },
  { name: "a picture outside", path: "/catalogue/images/..%2f..%2fmain.ts", status: 404 },
  { name: "a path that is no UTF-8", path: "/catalogue/%E0%A4%A", status: 400 },
  { name: "another path", path: "/admin", status: 404 },
] as const;
for (const { name, path, status } of bad)
  test(`refuses ${name} with ${status}`, { skip }, () =>
    assertRefused(catalogue, { name, request: ["GET", path], status }),
  );

test("an unknown sock is said in the original's words", { skip }, async () => {
  const { json } = await catalogue.ask("GET", "/catalogue/none");
  assert.deepEqual(json, { error: "not found", status_code: 404, status_text: "Not Found" });
  assert.equal((await catalogue.ask("POST", "/catalogue", {})).status, 405);
});
