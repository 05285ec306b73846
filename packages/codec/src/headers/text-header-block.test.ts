import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { createRequestReader } from "../http1/reader.ts";
import type { HeaderBlock } from "./header-block.ts";
import { removeConnectionFields, removeHopByHop } from "./hop-by-hop.ts";
import { createHeaderBlock } from "./text-header-block.ts";

function received(...lines: string[]): HeaderBlock {
  const bytes = Buffer.from(`GET / HTTP/1.1\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`, "latin1");
  const reader = createRequestReader();
  reader.feed(bytes, 0, bytes.length);
  const event = reader.next();
  assert.ok(event.kind === "head");
  return event.head.headers;
}

function listed(headers: HeaderBlock): string[] {
  const fields: string[] = [];
  headers.forEach((name, value) => {
    fields.push(`${name}: ${value}`);
  });
  return fields;
}

test("names are found whatever their case was, values are trimmed", () => {
  const headers = received("Host: a", "X-One:  1 ", "x-one: 2", "Empty:");
  assert.equal(headers.get("x-one"), "1");
  assert.deepEqual(headers.getAll("x-one"), ["1", "2"]);
  assert.equal(headers.combined("x-one"), "1,2");
  assert.equal(headers.get("empty"), "");
  assert.equal(headers.combined("none"), undefined);
  assert.equal(headers.has("x-on"), false);
  assert.equal(headers.size, 4);
});

test("untouched lines are forwarded as they came, between the edited ones", () => {
  const headers = received("a: 1", "b: 2", "c:3 ", "d: 4", "e: 5");
  assert.equal(headers.remove("b"), true);
  assert.equal(headers.remove("b"), false);
  headers.set("e", "6");
  headers.add("f", "7");
  assert.equal(headers.encode(), "a: 1\r\nc:3 \r\nd: 4\r\ne: 6\r\nf: 7\r\n");
  assert.equal(headers.size, 5);
});

test("a copy does not follow the original", () => {
  const headers = received("a: 1", "b: 2");
  headers.remove("a");
  const copy = headers.clone();
  copy.set("b", "3");
  assert.deepEqual(listed(headers), ["b: 2"]);
  assert.deepEqual(listed(copy), ["b: 3"]);
  assert.equal(copy.size, 1);
});

for (const [name, value] of [
  ["x", "a\r\nEvil: 1"],
  ["x", "a\nb"],
  ["x", "a\0b"],
  ["x", "\u{10a}"],
  ["x y", "a"],
  ["X", "a"],
  ["", "a"],
  ["x:", "a"],
] as const) {
  test(`refuses to send ${JSON.stringify(`${name}: ${value}`)}`, () => {
    const headers = createHeaderBlock();
    assert.throws(() => headers.add(name, value), { code: "codec.header.invalid" });
    assert.throws(() => headers.set(name, value), { code: "codec.header.invalid" });
    assert.equal(headers.size, 0);
  });
}

test("hop-by-hop fields go, and those that Connection names, but not what routes or frames", () => {
  const headers = received(
    "Host: a",
    "Connection: keep-alive, X-Mine, Content-Length, Authorization",
    "Authorization: mine",
    "Keep-Alive: 5",
    "X-Mine: 1",
    "X-Forwarded-For: 1.2.3.4",
    "TE: gzip, trailers",
    "Content-Length: 3",
    "Upgrade: h2c",
    "Proxy-Connection: close",
  );
  assert.equal(removeHopByHop(headers), true);
  assert.deepEqual(listed(headers), ["host: a", "x-forwarded-for: 1.2.3.4", "content-length: 3", "te: trailers"]);
});

for (const name of ["x-forwarded-for", "X-Forwarded-Host", "x-forwarded-proto", ":path", "close, :authority"]) {
  test(`a Connection that names ${name} is refused`, () => {
    assert.equal(removeHopByHop(received("Host: a", `Connection: ${name}`)), false);
  });
}

test("a response loses the connection's own fields only", () => {
  const headers = received("Connection: x-a, close", "X-A: 1", "Keep-Alive: 5", "TE: x", "Transfer-Encoding: chunked");
  removeConnectionFields(headers);
  assert.deepEqual(listed(headers), ["x-a: 1", "te: x"]);
});

test("edits behave like a plain list of fields", () => {
  const name = fc.constantFrom("a", "b", "cc", "dd");
  const edit = fc.tuple(fc.constantFrom("add", "set", "remove", "clone"), name, fc.constantFrom("1", "2"));
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.constantFrom("0", "9"))), fc.array(edit), (start, edits) => {
      let headers = received(...start.map(([n, v]) => `${n}: ${v}`));
      let model: (readonly [string, string])[] = start;
      for (const [kind, n, v] of edits) {
        if (kind === "clone") headers = headers.clone();
        else if (kind === "remove") headers.remove(n);
        else if (kind === "add") headers.add(n, v);
        else headers.set(n, v);
        if (kind === "remove" || kind === "set") model = model.filter(([m]) => m !== n);
        if (kind === "add" || kind === "set") model = [...model, [n, v]];
      }
      const want = model.map(([n, v]) => `${n}: ${v}`);
      assert.deepEqual(listed(headers), want);
      assert.equal(headers.encode(), want.map((line) => `${line}\r\n`).join(""));
      assert.equal(headers.size, model.length);
      for (const n of ["a", "b", "cc", "dd"]) {
        assert.deepEqual(
          headers.getAll(n),
          model.filter(([m]) => m === n).map(([, v]) => v),
        );
        assert.equal(headers.get(n), model.find(([m]) => m === n)?.[1]);
      }
    }),
  );
});
