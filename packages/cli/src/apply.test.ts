import assert from "node:assert/strict";
import { test } from "node:test";
import { MeshError } from "@argyle/core";
import type { KubeObject } from "@argyle/kube-types";
import { parseManifest, withLastApplied } from "./apply.ts";

const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";
const configMap = (metadata: KubeObject["metadata"], data: Readonly<Record<string, string>>): KubeObject =>
  ({ kind: "ConfigMap", apiVersion: "v1", metadata, data }) as KubeObject;

// The right-hand sides are what kubectl 1.35 writes for the same file.
const cases: readonly {
  readonly name: string;
  readonly object: KubeObject;
  readonly namespace: string | undefined;
  readonly configuration: string;
}[] = [
  {
    name: "keys are in order, annotations are there though the file has none, a line feed ends it",
    object: configMap({ name: "a", namespace: "n" }, { b: "1", a: "2" }),
    namespace: "n",
    configuration:
      '{"apiVersion":"v1","data":{"a":"2","b":"1"},"kind":"ConfigMap","metadata":{"annotations":{},"name":"a","namespace":"n"}}\n',
  },
  {
    name: "the namespace that was not in the file is added",
    object: configMap({ name: "a" }, {}),
    namespace: "default",
    configuration:
      '{"apiVersion":"v1","data":{},"kind":"ConfigMap","metadata":{"annotations":{},"name":"a","namespace":"default"}}\n',
  },
  {
    name: "an object of the cluster gets no namespace",
    object: { apiVersion: "v1", kind: "Namespace", metadata: { name: "a" } },
    namespace: undefined,
    configuration: '{"apiVersion":"v1","kind":"Namespace","metadata":{"annotations":{},"name":"a"}}\n',
  },
  {
    name: "characters of HTML and line separators are escaped as Go does",
    object: configMap({ name: "a" }, { x: "<&>\u2028" }),
    namespace: "default",
    configuration:
      '{"apiVersion":"v1","data":{"x":"\\u003c\\u0026\\u003e\\u2028"},"kind":"ConfigMap","metadata":{"annotations":{},"name":"a","namespace":"default"}}\n',
  },
  {
    name: "other annotations stay, an earlier configuration is not nested",
    object: configMap({ name: "a", annotations: { z: "1", [LAST_APPLIED]: "old" } }, {}),
    namespace: "default",
    configuration:
      '{"apiVersion":"v1","data":{},"kind":"ConfigMap","metadata":{"annotations":{"z":"1"},"name":"a","namespace":"default"}}\n',
  },
];
for (const c of cases) {
  test(c.name, () => {
    const applied = withLastApplied(c.object, c.namespace);
    assert.equal(applied.metadata.annotations?.[LAST_APPLIED], c.configuration);
    const { [LAST_APPLIED]: _configuration, ...others } = applied.metadata.annotations ?? {};
    const { [LAST_APPLIED]: _earlier, ...wanted } = c.object.metadata.annotations ?? {};
    assert.deepEqual(others, wanted);
  });
}

test("reads every document of a file and skips empty ones", () => {
  const text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n---\n# nothing\n---\nkind: Namespace\n";
  assert.deepEqual(
    parseManifest("x.yaml", text).map(({ kind }) => kind),
    ["Namespace", "Namespace"],
  );
});

test("names the file of what is no YAML", () => {
  const isNamed = (error: unknown) =>
    error instanceof MeshError && error.code === "manifest.malformed" && error.message.startsWith("x.yaml: ");
  assert.throws(() => parseManifest("x.yaml", "a: [1"), isNamed);
});
