import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createSchemas } from "@argyle/kube-types";
import type { JsonObject } from "../json.ts";
import { applyJsonPatch } from "./json-patch.ts";
import { applyMergePatch } from "./merge.ts";
import { applyStrategicPatch } from "./strategic.ts";

declare const __ARGYLE_ROOT__: string;

const schemas = createSchemas(JSON.parse(readFileSync(join(__ARGYLE_ROOT__, "dist/assets/schemas.json"), "utf8")));
const pod = schemas.fieldAt("v1", "Pod");

interface Case {
  readonly name: string;
  readonly target: JsonObject;
  readonly patch: JsonObject;
  readonly result: JsonObject;
}

const containers = (...list: readonly JsonObject[]) => ({ spec: { containers: list } });

const strategic: readonly Case[] = [
  {
    name: "merges containers by name and env by name",
    target: containers({ name: "a", image: "x", env: [{ name: "A", value: "1" }] }, { name: "b" }),
    patch: containers({ name: "a", env: [{ name: "B", value: "2" }] }),
    result: containers(
      {
        name: "a",
        image: "x",
        env: [
          { name: "A", value: "1" },
          { name: "B", value: "2" },
        ],
      },
      { name: "b" },
    ),
  },
  {
    name: "adds an entry that is not there",
    target: containers({ name: "a" }),
    patch: containers({ name: "b", image: "y" }),
    result: containers({ name: "a" }, { name: "b", image: "y" }),
  },
  {
    name: "deletes an entry with $patch: delete",
    target: containers({ name: "a" }, { name: "b" }),
    patch: containers({ name: "a", $patch: "delete" }),
    result: containers({ name: "b" }),
  },
  {
    name: "replaces a whole list with a lone $patch: replace entry",
    target: containers({ name: "a" }, { name: "b" }),
    patch: containers({ $patch: "replace" }, { name: "c" }),
    result: containers({ name: "c" }),
  },
  {
    name: "orders the merged list by $setElementOrder, leaving unnamed entries where they stood",
    target: containers({ name: "x" }, { name: "a" }, { name: "b" }),
    patch: {
      spec: { "$setElementOrder/containers": [{ name: "b" }, { name: "a" }], containers: [{ name: "a", image: "i" }] },
    },
    result: containers({ name: "x" }, { name: "b" }, { name: "a", image: "i" }),
  },
  {
    name: "null removes a member",
    target: { spec: { nodeName: "n", hostNetwork: true } },
    patch: { spec: { nodeName: null } },
    result: { spec: { hostNetwork: true } },
  },
  {
    name: "unites scalar lists with strategy merge and removes with $deleteFromPrimitiveList",
    target: { metadata: { finalizers: ["a", "b"] } },
    patch: { metadata: { finalizers: ["c"], "$deleteFromPrimitiveList/finalizers": ["a"] } },
    result: { metadata: { finalizers: ["b", "c"] } },
  },
  {
    name: "keeps only $retainKeys members",
    target: { spec: { volumes: [{ name: "v", emptyDir: {} }] } },
    patch: { spec: { volumes: [{ name: "v", $retainKeys: ["name", "configMap"], configMap: { name: "c" } }] } },
    result: { spec: { volumes: [{ name: "v", configMap: { name: "c" } }] } },
  },
  {
    name: "replaces atomic lists",
    target: { spec: { tolerations: [{ key: "a" }] } },
    patch: { spec: { tolerations: [{ key: "b" }] } },
    result: { spec: { tolerations: [{ key: "b" }] } },
  },
  {
    name: "merges maps of labels",
    target: { metadata: { labels: { a: "1", b: "2" } } },
    patch: { metadata: { labels: { b: null, c: "3" } } },
    result: { metadata: { labels: { a: "1", c: "3" } } },
  },
  {
    name: "replaces an object with $patch: replace",
    target: { spec: { securityContext: { runAsUser: 1, fsGroup: 2 } } },
    patch: { spec: { securityContext: { $patch: "replace", runAsUser: 3 } } },
    result: { spec: { securityContext: { runAsUser: 3 } } },
  },
];

for (const c of strategic) {
  test(`strategic: ${c.name}`, () => {
    const before = structuredClone(c.target);
    assert.deepEqual(applyStrategicPatch(c.target, c.patch, pod), c.result);
    assert.deepEqual(c.target, before, "the target is left as it was");
  });
}

test("strategic: refuses an entry without its merge key", () => {
  assert.throws(
    () => applyStrategicPatch(containers({ name: "a" }), containers({ image: "x" }), pod),
    /merge key: name/,
  );
});

test("merge: RFC 7386, appendix A", () => {
  const cases: readonly (readonly [unknown, unknown, unknown])[] = [
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b" }, { a: null }, {}],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [
      ["a", "b"],
      ["c", "d"],
      ["c", "d"],
    ],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: "b", c: null }, { a: "b" }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [target, patch, result] of cases) assert.deepEqual(applyMergePatch(target, patch), result);
});

test("merge: a __proto__ member pollutes nothing", () => {
  const patch: unknown = JSON.parse('{"__proto__":{"polluted":true}}');
  applyMergePatch({}, patch);
  assert.equal(Reflect.get({}, "polluted"), undefined);
});

test("json: applies, and refuses a failing test with 422", () => {
  const patch = [{ op: "replace", path: "/a", value: 2 }];
  assert.deepEqual(applyJsonPatch({ a: 1 }, patch), { a: 2 });
  assert.throws(() => applyJsonPatch({ a: 1 }, [{ op: "test", path: "/a", value: 3 }]), {
    message: /rejected our request/,
  });
  assert.throws(() => applyJsonPatch({ a: 1 }, { op: "add" }), { message: /list of operations/ });
});
