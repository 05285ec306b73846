import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandomHex } from "./random-hex.ts";
import { createRandomUuid } from "./random-uuid.ts";

const ASKED = 1000;

test("UUIDs are of version 4 and variant 1, and none comes twice", () => {
  const uuid = createRandomUuid();
  const seen = new Set(Array.from({ length: ASKED }, uuid));
  assert.equal(seen.size, ASKED);
  for (const text of seen) assert.match(text, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("random hex has two digits a byte, and nothing comes twice across refills", () => {
  const randomHex = createRandomHex();
  const texts = Array.from({ length: ASKED }, (_, i) => randomHex(i % 2 === 0 ? 8 : 16));
  assert.equal(new Set(texts).size, ASKED);
  for (const [i, text] of texts.entries()) assert.match(text, i % 2 === 0 ? /^[0-9a-f]{16}$/ : /^[0-9a-f]{32}$/);
});
