import assert from "node:assert/strict";
import { test } from "node:test";
import { isSameOrigin } from "./same-origin.ts";

const host = "shop.example:8080";
const cases = [
  { name: "a program without browser headers", headers: {}, is: true },
  { name: "the shop's own page", headers: { "sec-fetch-site": "same-origin", origin: `http://${host}` }, is: true },
  { name: "an address typed by hand", headers: { "sec-fetch-site": "none" }, is: true },
  { name: "another site", headers: { "sec-fetch-site": "cross-site" }, is: false },
  {
    name: "a sibling domain",
    headers: { "sec-fetch-site": "same-site", "content-type": "application/json" },
    is: false,
  },
  { name: "an old browser's own page", headers: { origin: `http://${host}` }, is: true },
  {
    name: "an old browser's form from elsewhere",
    headers: { origin: "http://evil.example", "content-type": "text/plain" },
    is: false,
  },
  { name: "a sandboxed frame", headers: { origin: "null" }, is: false },
  {
    name: "JSON behind a gateway that changes Host",
    headers: { origin: "http://public.example", "content-type": "application/json" },
    is: true,
  },
] as const;
for (const { name, headers, is } of cases) {
  test(`${name}: ${is ? "let through" : "refused"}`, () => assert.equal(isSameOrigin({ host, ...headers }), is));
}
