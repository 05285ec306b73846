import assert from "node:assert/strict";
import { test } from "node:test";
import { Fields } from "./fields.ts";
import { compilePattern, longestNeededText } from "./regex.ts";

const needed: readonly (readonly [pattern: string, text: string])[] = [
  ["/api/v[0-9]+/orders/[0-9a-f-]+", "/orders/"],
  ["/items/?", "/items"],
  ["/item*s", "/ite"],
  ["/colou?rs", "/colo"],
  ["ab+cd", "ab"],
  ["a{0,3}bc", "bc"],
  ["[]x]+tail", "tail"],
  ["[^]x]tail", "tail"],
  ["^/x$", "/x"],
  [".*/end", "/end"],
  ["(?i)/api", ""],
  ["a*?bc", "bc"],
  ["ab+?c", "ab"],
  ["[[:alpha:]]+x", ""],
  ["/a|/b", ""],
  ["/a\\.b", ""],
];

for (const [pattern, text] of needed)
  test(`${pattern} needs ${JSON.stringify(text)}`, () => assert.equal(longestNeededText(pattern), text));

const matches: readonly (readonly [pattern: string, text: string, isMatch: boolean])[] = [
  ["/api/v[0-9]+/orders/[0-9a-f-]+", "/api/v1/orders/0a", true],
  ["/api/v[0-9]+/orders/[0-9a-f-]+", "/api/v1/items/0a", false],
  ["/api/v[0-9]+/orders/[0-9a-f-]+", "/api/v1/orders/0a/x", false],
  ["/items/?", "/items", true],
  ["/items/?", "/items/", true],
  ["a{0,3}bc", "bc", true],
  ["(?i)/api", "/API", true],
];

for (const [pattern, text, isMatch] of matches)
  test(`${pattern} ${isMatch ? "matches" : "does not match"} ${text}`, () => {
    const regex = compilePattern(pattern, new Fields({}, "", { problems: [] }), "regex");
    assert.equal(regex.matches(text), isMatch);
  });
