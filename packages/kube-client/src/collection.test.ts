import assert from "node:assert/strict";
import { test } from "node:test";
import { settle } from "@argyle/testkit";
import { createCollection, createManyCollection, createSingleton } from "./collection.ts";
import { type Collection, createKeyedStore } from "./keyed-store.ts";

const fail = (thrown: unknown) => assert.fail(String(thrown));

/** A source collection that the test writes by hand. */
function createSource<T>(): Collection<T> & { set(key: string, value: T): void; delete(key: string): void } {
  const store = createKeyedStore<T>(fail);
  const source: Collection<T> = {
    synced: Promise.resolve(),
    get: store.get,
    list: store.list,
    index: (valuesOf) => store.index(source, valuesOf),
    onChange: store.onChange,
  };
  return Object.assign(source, { set: store.set, delete: (key: string) => store.delete(key) });
}

test("recomputes only the outputs that read what changed", async () => {
  const pods = createSource<{ readonly node: string }>();
  const nodes = createSource<{ readonly zone: string }>();
  const computed: string[] = [];
  const located = createCollection<{ readonly node: string }, string>({
    source: pods,
    transform(pod, fetch, key) {
      computed.push(key);
      return fetch.get(nodes, pod.node)?.zone;
    },
    onError: fail,
  });
  nodes.set("n1", { zone: "z1" });
  pods.set("a", { node: "n1" });
  pods.set("b", { node: "n2" });
  await located.synced;
  assert.deepEqual(located.list(), ["z1"]);
  computed.length = 0;
  nodes.set("n2", { zone: "z2" });
  await settle();
  assert.deepEqual(computed, ["b"]);
  assert.equal(located.get("b"), "z2");
  located.close();
});

test("computes a burst once and does not tell an equal output", async () => {
  const numbers = createSource<number>();
  let computed = 0;
  const parity = createCollection<number, string>({
    source: numbers,
    transform(value) {
      computed += 1;
      return value % 2 === 0 ? "even" : "odd";
    },
    onError: fail,
  });
  const told: string[] = [];
  parity.onChange((change) => told.push(`${change.type} ${change.object}`));
  numbers.set("n", 1);
  numbers.set("n", 3);
  numbers.set("n", 5);
  await settle();
  assert.equal(computed, 1);
  numbers.set("n", 7);
  await settle();
  numbers.set("n", 8);
  await settle();
  assert.deepEqual(told, ["ADDED odd", "MODIFIED even"]);
});

test("follows an index", async () => {
  const services = createSource<{ readonly app: string }>();
  const pods = createSource<{ readonly app: string; readonly ip: string }>();
  const byApp = pods.index((pod) => [pod.app]);
  const addresses = createCollection<{ readonly app: string }, readonly string[]>({
    source: services,
    transform: (service, fetch) => fetch.lookup(byApp, service.app).map((pod) => pod.ip),
    onError: fail,
  });
  services.set("s", { app: "web" });
  pods.set("p", { app: "web", ip: "1" });
  await addresses.synced;
  assert.deepEqual(addresses.get("s"), ["1"]);
  pods.set("p", { app: "db", ip: "1" });
  assert.deepEqual(addresses.get("s"), []);
});

test("a diamond is never seen half-way", async () => {
  const source = createSource<number>();
  const doubled = createCollection<number, number>({ source, transform: (n) => n * 2, onError: fail });
  const pairs: string[] = [];
  const both = createCollection<number, string>({
    source,
    transform(n, fetch, key) {
      const text = `${n}:${fetch.get(doubled, key)}`;
      pairs.push(text);
      return text;
    },
    onError: fail,
  });
  source.set("x", 1);
  await both.synced;
  source.set("x", 2);
  await settle();
  assert.equal(both.get("x"), "2:4");
  assert.deepEqual([...new Set(pairs)], ["1:2", "2:4"]);
});

test("makes and removes many outputs of one input", async () => {
  const source = createSource<readonly string[]>();
  const words = createManyCollection<readonly string[], string>({
    source,
    keyOf: (word) => word,
    transform: (list) => list,
    onError: fail,
  });
  source.set("a", ["x", "y"]);
  await words.synced;
  const told: string[] = [];
  words.onChange((change) => told.push(`${change.type} ${change.key}`));
  source.set("a", ["y", "z"]);
  await settle();
  source.delete("a");
  await settle();
  assert.deepEqual(told, ["ADDED x", "ADDED y", "DELETED x", "ADDED z", "DELETED y", "DELETED z"]);
});

test("a singleton sums up its inputs", async () => {
  const source = createSource<number>();
  const total = createSingleton<number>({
    inputs: [source],
    transform: (fetch) => fetch.list(source).reduce((sum, n) => sum + n, 0),
    onError: fail,
  });
  await total.synced;
  const told: (number | undefined)[] = [];
  total.onChange((value) => told.push(value));
  source.set("a", 1);
  source.set("b", 2);
  await settle();
  source.set("a", 2);
  source.set("b", 1);
  await settle();
  assert.deepEqual(told, [0, 3]);
  assert.equal(total.get(), 3);
});

test("an input whose transform throws has no output until it changes", async () => {
  const source = createSource<number>();
  const errors: string[] = [];
  const safe = createCollection<number, number>({
    source,
    transform(n) {
      if (n < 0) throw new Error("negative");
      return n;
    },
    onError: (thrown, key) => errors.push(`${key} ${String(thrown)}`),
  });
  source.set("a", -1);
  source.set("b", 1);
  await safe.synced;
  assert.deepEqual(safe.list(), [1]);
  assert.deepEqual(errors, ["a Error: negative"]);
  source.set("a", 5);
  assert.equal(safe.get("a"), 5);
});
