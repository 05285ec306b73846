import assert from "node:assert/strict";
import { appendFileSync, existsSync, readFileSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { MeshError, silentLogger } from "@argyle/core";
import { type KubeObject, resourceOf } from "@argyle/kube-types";
import { createFakeClock, tempDir } from "@argyle/testkit";
import fc from "fast-check";
import type { LogSystem } from "./persist/log-file.ts";
import { encodeHeader, FORMAT_VERSION } from "./persist/record.ts";
import { openStore, type Store } from "./storage.ts";

const CONFIG_MAPS = resourceOf("ConfigMap");

function configMap(name: string, value: string, namespace = "default"): KubeObject {
  const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace }, data: { value } };
  return object;
}

function open(dir: string, more: { system?: LogSystem; snapshotAfterBytes?: number } = {}): Store {
  return openStore({ dir, clock: createFakeClock(), log: silentLogger, ...more });
}

function contents(store: Store): unknown {
  return store.list(CONFIG_MAPS);
}

test("a reopened store has the same objects and revision", (t) => {
  const dir = tempDir(t);
  const store = open(dir);
  const a = store.put(CONFIG_MAPS, configMap("a", "1"), "absent");
  assert.ok(a);
  store.put(CONFIG_MAPS, configMap("b", "ü".repeat(100)), "absent");
  store.put(CONFIG_MAPS, configMap("a", "2"), a);
  const b = store.get(CONFIG_MAPS, "default", "b");
  assert.ok(b);
  assert.equal(store.remove(CONFIG_MAPS, b)?.metadata.resourceVersion, "4");
  const before = contents(store);
  store.close();
  const again = open(dir);
  assert.deepEqual(contents(again), before);
  assert.equal(again.revision(), 4);
  assert.deepEqual(
    again.recent().map((e) => [e.revision, e.type]),
    [
      [1, "ADDED"],
      [2, "ADDED"],
      [3, "MODIFIED"],
      [4, "DELETED"],
    ],
  );
  again.close();
});

test("refuses what is not as expected, without a new revision", (t) => {
  const store = open(tempDir(t));
  const a = store.put(CONFIG_MAPS, configMap("a", "1"), "absent");
  assert.ok(a);
  assert.equal(store.put(CONFIG_MAPS, configMap("a", "2"), "absent"), undefined);
  const second = store.put(CONFIG_MAPS, configMap("a", "2"), a);
  assert.ok(second);
  assert.equal(store.put(CONFIG_MAPS, configMap("a", "3"), a), undefined);
  assert.equal(store.remove(CONFIG_MAPS, a), undefined);
  assert.equal(store.revision(), 2);
  store.close();
});

test("a log cut at any byte of its last record opens with everything before that record", (t) => {
  const dir = tempDir(t);
  const store = open(dir);
  store.put(CONFIG_MAPS, configMap("a", "1"), "absent");
  store.put(CONFIG_MAPS, configMap("b", "2"), "absent");
  const expected = contents(store);
  const whole = readFileSync(join(dir, "log")).length;
  store.put(CONFIG_MAPS, configMap("c", "é"), "absent");
  store.close();
  const bytes = readFileSync(join(dir, "log"));
  for (let cut = whole; cut < bytes.length; cut++) {
    writeFileSync(join(dir, "log"), bytes.subarray(0, cut));
    const reopened = open(dir);
    assert.deepEqual(contents(reopened), expected, `cut at ${cut}`);
    // The place of the torn record is used again.
    assert.equal(reopened.put(CONFIG_MAPS, configMap("d", "3"), "absent")?.metadata.resourceVersion, "3");
    reopened.close();
    const afterwards = open(dir);
    assert.equal(afterwards.list(CONFIG_MAPS).length, 3);
    afterwards.close();
  }
});

test("a flipped bit in the last record drops that record only", (t) => {
  const dir = tempDir(t);
  const store = open(dir);
  store.put(CONFIG_MAPS, configMap("a", "1"), "absent");
  const start = readFileSync(join(dir, "log")).length;
  store.put(CONFIG_MAPS, configMap("b", "2"), "absent");
  store.close();
  const bytes = readFileSync(join(dir, "log"));
  for (let i = start; i < bytes.length; i += 7) {
    const damaged = Buffer.from(bytes);
    damaged[i] = (damaged[i] ?? 0) ^ 0x10;
    writeFileSync(join(dir, "log"), damaged);
    const reopened = open(dir);
    assert.deepEqual(
      reopened.list(CONFIG_MAPS).map((o) => o.metadata.name),
      ["a"],
      `bit flipped at ${i}`,
    );
    reopened.close();
  }
});

test("any sequence of writes, snapshots and reopenings keeps the model's state", (t) => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("put"), name: fc.constantFrom("a", "b", "c"), value: fc.string() }),
    fc.record({ kind: fc.constant("remove"), name: fc.constantFrom("a", "b", "c"), value: fc.constant("") }),
    fc.record({ kind: fc.constant("reopen"), name: fc.constant(""), value: fc.constant("") }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const dir = tempDir(t);
      let store = open(dir, { snapshotAfterBytes: 300 });
      const model = new Map<string, string>();
      let revision = 0;
      for (const { kind, name, value } of steps) {
        if (kind === "put") {
          store.put(CONFIG_MAPS, configMap(name, value), "any");
          model.set(name, value);
          revision++;
        } else if (kind === "remove") {
          const found = store.get(CONFIG_MAPS, "default", name);
          assert.equal(found !== undefined, model.delete(name));
          if (found !== undefined) {
            store.remove(CONFIG_MAPS, found);
            revision++;
          }
        } else {
          store.close();
          store = open(dir, { snapshotAfterBytes: 300 });
        }
      }
      store.close();
      store = open(dir);
      const names = store.list(CONFIG_MAPS).map((o) => o.metadata.name);
      assert.deepEqual(names, [...model.keys()].sort());
      assert.equal(store.revision(), revision);
      store.close();
    }),
    { numRuns: 40 },
  );
});

test("a full disk fails the write with advice and applies nothing, and the store goes on when there is room", (t) => {
  const dir = tempDir(t);
  let room = Number.POSITIVE_INFINITY;
  const system: LogSystem = {
    write(fd, bytes, offset, length, position) {
      const count = Math.min(length, room);
      if (count === 0) throw Object.assign(new Error("no space"), { code: "ENOSPC" });
      room -= count;
      return writeSync(fd, bytes, offset, count, position);
    },
  };
  const store = open(dir, { system });
  store.put(CONFIG_MAPS, configMap("a", "1"), "absent");
  room = 20;
  assert.throws(
    () => store.put(CONFIG_MAPS, configMap("b", "2"), "absent"),
    (error) => error instanceof MeshError && error.code === "apiserver.store.full" && error.advice !== undefined,
  );
  assert.equal(store.revision(), 1);
  assert.equal(store.get(CONFIG_MAPS, "default", "b"), undefined);
  room = Number.POSITIVE_INFINITY;
  assert.equal(store.put(CONFIG_MAPS, configMap("c", "3"), "absent")?.metadata.resourceVersion, "2");
  store.close();
  const again = open(dir);
  assert.deepEqual(
    again.list(CONFIG_MAPS).map((o) => o.metadata.name),
    ["a", "c"],
  );
  again.close();
});

test("refuses a store of a newer format, with advice", (t) => {
  const dir = tempDir(t);
  open(dir).close();
  writeFileSync(join(dir, "log"), encodeHeader(FORMAT_VERSION + 1));
  assert.throws(
    () => open(dir),
    (error) =>
      error instanceof MeshError && error.code === "apiserver.store.newer-format" && error.advice !== undefined,
  );
});

test("refuses a damaged snapshot instead of starting with half of it", (t) => {
  const dir = tempDir(t);
  const store = open(dir, { snapshotAfterBytes: 10 });
  for (let i = 0; i < 5; i++) store.put(CONFIG_MAPS, configMap(`a${i}`, "x".repeat(50)), "absent");
  store.close();
  const path = join(dir, "snapshot");
  assert.ok(existsSync(path));
  truncateSync(path, readFileSync(path).length - 3);
  assert.throws(
    () => open(dir),
    (error) => error instanceof MeshError && error.code === "apiserver.store.damaged",
  );
});

test("a crash between the snapshot's rename and the new log replays nothing twice", (t) => {
  const dir = tempDir(t);
  const store = open(dir);
  store.put(CONFIG_MAPS, configMap("a", "1"), "absent");
  const a = store.get(CONFIG_MAPS, "default", "a");
  assert.ok(a);
  store.remove(CONFIG_MAPS, a);
  store.close();
  const oldLog = readFileSync(join(dir, "log"));
  // A snapshot by hand: what the store would have written at revision 2, with the old log still in place.
  const next = open(dir, { snapshotAfterBytes: 1 });
  next.put(CONFIG_MAPS, configMap("b", "2"), "absent");
  next.close();
  writeFileSync(join(dir, "log"), oldLog);
  const again = open(dir);
  assert.deepEqual(
    again.list(CONFIG_MAPS).map((o) => o.metadata.name),
    ["b"],
  );
  assert.equal(again.revision(), 3);
  again.close();
});

test("bytes after a torn record are cut off, not read", (t) => {
  const dir = tempDir(t);
  const store = open(dir);
  store.put(CONFIG_MAPS, configMap("a", "1"), "absent");
  store.close();
  const length = readFileSync(join(dir, "log")).length;
  appendFileSync(join(dir, "log"), Buffer.from([5, 0, 0, 0, 1, 2, 3, 4, 5, 6]));
  open(dir).close();
  assert.equal(readFileSync(join(dir, "log")).length, length);
});

test("a record broken in the middle is an error with advice, and the log stays as it is", (t) => {
  const dir = tempDir(t);
  const store = open(dir);
  for (const name of ["a", "b", "c"]) store.put(CONFIG_MAPS, configMap(name, "value"), "absent");
  store.close();
  const path = join(dir, "log");
  const bytes = readFileSync(path);
  const damaged = Buffer.from(bytes);
  const at = damaged.indexOf('"name":"b"');
  damaged.write("X", at + 8);
  writeFileSync(path, damaged);
  assert.throws(
    () => open(dir),
    (error) =>
      error instanceof MeshError && error.code === "apiserver.store.damaged" && /--fresh/.test(error.advice ?? ""),
  );
  assert.deepEqual(readFileSync(path), damaged);
});
