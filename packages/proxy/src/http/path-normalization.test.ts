import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalPath, mergeSlashes, normalizePath, unescapeSlashes } from "./path-normalization.ts";

const canonical: readonly (readonly [string, string | undefined])[] = [
  ["/a/b/../c", "/a/c"],
  ["/a/b/./c", "/a/b/c"],
  ["a/b/../c", "/a/c"],
  ["/a/b/../../../../c", "/c"],
  ["/a/..\\c", "/c"],
  ["/%c0%af", "/%c0%af"],
  ["/%5c%25", "/%5c%25"],
  ["/a/b/%2E%2E/c", "/a/c"],
  ["/A/B/C", "/A/B/C"],
  ["/a/%2F%2f/c", "/a/%2F%2f/c"],
  ["/x/y/z", "/x/y/z"],
  ["/a/..", "/"],
  ["/a/.", "/a/"],
  ["/xyz/.%00../abc", undefined],
  ["/xyz/%00.%00./abc", undefined],
  ["/xyz/AAAAA%%0000/abc", undefined],
];
for (const [path, want] of canonical) test(`normalizes ${path}`, () => assert.equal(canonicalPath(path), want));

test("merges slashes before the query only", () => {
  const options = { normalize: false, mergeSlashes: true, escapedSlashes: "keep" } as const;
  assert.equal(mergeSlashes("/a///b//c//"), "/a/b/c/");
  assert.deepEqual(normalizePath("/a//b?a=///c", options), { kind: "path", path: "/a/b?a=///c" });
});

test("escaped slashes are unescaped, redirected or rejected", () => {
  assert.equal(unescapeSlashes("%2fa%5Cb%2fc%5c"), "/a\\b/c\\");
  const run = (escapedSlashes: "reject" | "redirect" | "forward") =>
    normalizePath("/a%2Fb?x=%2F", { normalize: true, mergeSlashes: false, escapedSlashes });
  assert.deepEqual(run("reject"), { kind: "rejected" });
  assert.deepEqual(run("redirect"), { kind: "redirect", path: "/a/b?x=%2F" });
  assert.deepEqual(run("forward"), { kind: "path", path: "/a/b?x=%2F" });
});
