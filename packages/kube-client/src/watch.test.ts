import assert from "node:assert/strict";
import { test } from "node:test";
import { KubeError } from "./errors.ts";
import { createLineSplitter, decodeWatchEvent } from "./watch.ts";

const text = '{"a":"ü"}\n{"b":2}\n\n{"c":3}\n';

for (const size of [1, 2, 3, 7, 1000]) {
  test(`finds the same lines in chunks of ${size} bytes`, () => {
    const bytes = Buffer.from(text);
    const splitter = createLineSplitter();
    const lines: string[] = [];
    for (let at = 0; at < bytes.length; at += size) lines.push(...splitter.push(bytes.subarray(at, at + size)));
    assert.deepEqual(lines, ['{"a":"ü"}', '{"b":2}', "", '{"c":3}']);
  });
}

test("keeps back a line that is not complete", () => {
  const splitter = createLineSplitter();
  assert.deepEqual(splitter.push(Buffer.from('{"a":1}\n{"b"')), ['{"a":1}']);
  assert.deepEqual(splitter.push(Buffer.from(":2}\n")), ['{"b":2}']);
});

test("reads the bookmark that ends the initial events", () => {
  const object = {
    kind: "Pod",
    metadata: { resourceVersion: "7", annotations: { "k8s.io/initial-events-end": "true" } },
  };
  assert.deepEqual(decodeWatchEvent(JSON.stringify({ type: "BOOKMARK", object }), "GET /x"), {
    type: "BOOKMARK",
    resourceVersion: "7",
    initialEventsEnd: true,
  });
});

test("throws the Status of an ERROR event", () => {
  const object = { kind: "Status", code: 410, reason: "Expired", message: "too old" };
  assert.throws(
    () => decodeWatchEvent(JSON.stringify({ type: "ERROR", object }), "GET /x"),
    (thrown: unknown) => thrown instanceof KubeError && thrown.code === "kube.expired" && thrown.status.code === 410,
  );
});
