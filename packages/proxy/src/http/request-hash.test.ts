import assert from "node:assert/strict";
import { test } from "node:test";
import { createHeaderBlock } from "@argyle/codec";
import type { HashPolicy } from "../config/route-action.ts";
import { xxHash64 } from "../upstream/balancer/xx-hash.ts";
import { requestHash } from "./request-hash.ts";

const plain = (name: string): HashPolicy => ({ kind: "header", terminal: false, name, rewrite: (value) => value });
const cookie = (ttlMs: number | undefined, path = ""): HashPolicy => ({
  kind: "cookie",
  terminal: false,
  name: "user",
  ttlMs,
  path,
});
const GENERATED = xxHash64("10.0.0.9:500010.0.0.1:80");

interface HashCase {
  readonly name: string;
  readonly policies: readonly HashPolicy[];
  readonly headers?: readonly (readonly [string, string])[];
  readonly path?: string;
  readonly hash: bigint | undefined;
  readonly setCookie?: string;
}

const cases: readonly HashCase[] = [
  { name: "nothing to hash", policies: [plain("x-user")], hash: undefined },
  { name: "a header", policies: [plain("x-user")], headers: [["x-user", "jo"]], hash: xxHash64("jo") },
  {
    name: "a header that comes twice, in either order",
    policies: [plain("x-user")],
    headers: [
      ["x-user", "b"],
      ["x-user", "a"],
    ],
    hash: xxHash64("b", xxHash64("a")),
  },
  {
    name: "a header as rewritten",
    policies: [{ kind: "header", terminal: false, name: "x-user", rewrite: (value) => value.slice(0, 1) }],
    headers: [["x-user", "jo"]],
    hash: xxHash64("j"),
  },
  { name: "the client's address", policies: [{ kind: "source-ip", terminal: false }], hash: xxHash64("10.0.0.9") },
  {
    name: "a query parameter, the first of its name",
    policies: [{ kind: "query", terminal: false, name: "id" }],
    path: "/a?xid=0&id=7&id=8",
    hash: xxHash64("7"),
  },
  {
    name: "a query parameter that is not there",
    policies: [{ kind: "query", terminal: false, name: "id" }],
    hash: undefined,
  },
  {
    name: "a cookie among others",
    policies: [cookie(undefined)],
    headers: [["cookie", "a=1; user=jo; b=2"]],
    hash: xxHash64("jo"),
  },
  { name: "a cookie that is not there and has no life", policies: [cookie(undefined)], hash: undefined },
  {
    name: "a cookie that is given to the client for its life",
    policies: [cookie(3_600_000, "/shop")],
    hash: xxHash64(GENERATED.toString(16)),
    setCookie: `user="${GENERATED.toString(16)}"; Max-Age=3600; Path=/shop; HttpOnly`,
  },
  {
    name: "a cookie of the session",
    policies: [cookie(0)],
    hash: xxHash64(GENERATED.toString(16)),
    setCookie: `user="${GENERATED.toString(16)}"; HttpOnly`,
  },
  {
    name: "a terminal policy that found something ends the list",
    policies: [
      { kind: "header", terminal: true, name: "x-user", rewrite: (value) => value },
      { kind: "source-ip", terminal: false },
    ],
    headers: [["x-user", "jo"]],
    hash: xxHash64("jo"),
  },
  {
    name: "several policies are combined",
    policies: [plain("x-user"), { kind: "source-ip", terminal: false }],
    headers: [["x-user", "jo"]],
    hash: (BigInt.asUintN(64, xxHash64("jo") << 1n) | (xxHash64("jo") >> 63n)) ^ xxHash64("10.0.0.9"),
  },
];

for (const { name, policies, headers = [], path = "/", hash, setCookie } of cases) {
  test(`hashes ${name}`, () => {
    const request = {
      headers: createHeaderBlock(headers),
      path,
      remoteIp: "10.0.0.9",
      remoteAddress: "10.0.0.9:5000",
      localAddress: "10.0.0.1:80",
    };
    assert.deepEqual(requestHash(policies, request), { hash, setCookie });
  });
}
