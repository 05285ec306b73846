import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createSchemas } from "@argyle/kube-types";
import fc from "fast-check";
import type { JsonObject } from "../json.ts";
import { decodeFieldsV1, encodeFieldsV1 } from "../managed-fields/field-set.ts";
import type { FieldOwner } from "../managed-fields/managers.ts";
import { fieldsOf } from "../managed-fields/walk.ts";
import { applyConfiguration } from "./apply.ts";

declare const __ARGYLE_ROOT__: string;

const schemas = createSchemas(JSON.parse(readFileSync(join(__ARGYLE_ROOT__, "dist/assets/schemas.json"), "utf8")));
const shape = schemas.fieldAt("apps/v1", "Deployment");
const applier = (manager: string) => ({
  manager,
  operation: "Apply" as const,
  subresource: undefined,
  apiVersion: "apps/v1",
  time: "2026-01-01T00:00:00Z",
});

function deployment(spec: JsonObject): JsonObject {
  return { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web" }, spec };
}

function pods(...containers: readonly JsonObject[]): JsonObject {
  return { template: { spec: { containers } } };
}

/** Applies one configuration after another, each under its manager. */
function applyAll(...steps: readonly (readonly [string, JsonObject, boolean?])[]) {
  let object: JsonObject = {};
  let owners: readonly FieldOwner[] = [];
  for (const [manager, config, force = false] of steps) {
    const result = applyConfiguration({ live: object, config, owners, applier: applier(manager), force, shape });
    if (result.kind === "conflicts")
      return { object, owners, conflicts: result.conflicts.map((c) => [c.owner.manager, c.path]) };
    object = result.object;
    owners = result.owners;
  }
  return { object, owners, conflicts: [] };
}

test("a field that the new configuration drops is removed", () => {
  const { object } = applyAll(
    ["a", deployment({ replicas: 1, ...pods({ name: "w", image: "i", env: [{ name: "A", value: "1" }] }) })],
    ["a", deployment(pods({ name: "w", image: "i" }))],
  );
  assert.deepEqual(object, deployment(pods({ name: "w", image: "i" })));
});

test("a dropped field that another manager applied too stays", () => {
  const { object, owners } = applyAll(
    ["a", deployment({ replicas: 1 })],
    ["b", deployment({ replicas: 1 })],
    ["a", deployment({ paused: true })],
  );
  assert.deepEqual(object.spec, { replicas: 1, paused: true });
  assert.deepEqual(
    owners.map((o) => [o.manager, encodeFieldsV1(o.fields)]),
    [
      ["a", { "f:spec": { "f:paused": {} } }],
      ["b", { "f:spec": { "f:replicas": {} } }],
    ],
  );
});

test("another value for another manager's field is a conflict that names both", () => {
  const { conflicts, object } = applyAll(
    ["a", deployment({ replicas: 1, ...pods({ name: "w", image: "x" }) })],
    ["b", deployment({ replicas: 2, ...pods({ name: "w", image: "y" }) })],
  );
  assert.deepEqual(conflicts, [
    ["a", ".spec.replicas"],
    ["a", '.spec.template.spec.containers[name="w"].image'],
  ]);
  assert.deepEqual((object.spec as JsonObject).replicas, 1);
});

test("force takes the field over", () => {
  const { object, owners } = applyAll(["a", deployment({ replicas: 1 })], ["b", deployment({ replicas: 2 }), true]);
  assert.deepEqual(object.spec, { replicas: 2 });
  assert.deepEqual(
    owners.map((o) => encodeFieldsV1(o.fields)),
    [{}, { "f:spec": { "f:replicas": {} } }],
  );
});

test("an entry that another manager put into a keyed list is left alone", () => {
  const { object } = applyAll(
    ["a", deployment(pods({ name: "w", image: "i" }))],
    ["injector", deployment(pods({ name: "proxy", image: "p" }))],
    ["a", deployment(pods({ name: "w", image: "j" }))],
  );
  assert.deepEqual(object, deployment(pods({ name: "w", image: "j" }, { name: "proxy", image: "p" })));
});

test("a whole entry goes with its defaults when nobody names it any more", () => {
  const live = deployment(pods({ name: "w", image: "i" }, { name: "old", image: "o", imagePullPolicy: "Always" }));
  const config = deployment(pods({ name: "w", image: "i" }, { name: "old", image: "o" }));
  const owners = [{ ...applier("a"), fields: fieldsOf(config, shape) }];
  const next = deployment(pods({ name: "w", image: "i" }));
  const result = applyConfiguration({ live, config: next, owners, applier: applier("a"), force: false, shape });
  assert.ok(result.kind === "applied");
  assert.deepEqual(result.object, next);
});

test("keys of list entries take the schema's defaults", () => {
  const fields = fieldsOf(deployment(pods({ name: "w", ports: [{ containerPort: 80 }] })), shape);
  assert.match(JSON.stringify(encodeFieldsV1(fields)), /k:\{\\"containerPort\\":80,\\"protocol\\":\\"TCP\\"\}/);
});

test("applying the same again changes nothing", () => {
  const config = deployment({ replicas: 1, ...pods({ name: "w", image: "i", env: [{ name: "A", value: "1" }] }) });
  const once = applyAll(["a", config]);
  const twice = applyAll(["a", config], ["a", config]);
  assert.deepEqual(twice, once);
});

test("FieldsV1 round trip", () => {
  const key = fc.constantFrom("f:a", "f:b", 'k:{"name":"x"}', "v:1", "i:0");
  const { tree } = fc.letrec((tie) => ({
    tree: fc.dictionary(key, fc.oneof({ depthSize: "small" }, fc.constant({}), tie("tree")), { maxKeys: 3 }),
  }));
  fc.assert(
    fc.property(tree, (fields) => {
      const normal = encodeFieldsV1(decodeFieldsV1(fields));
      assert.deepEqual(encodeFieldsV1(decodeFieldsV1(normal)), normal);
      assert.deepEqual(normal, JSON.parse(JSON.stringify(fields)));
    }),
    { numRuns: 200 },
  );
});
