import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { RESOURCES, REVIEWS } from "./registry.ts";
import { createSchemas } from "./schemas.ts";

const schemas = createSchemas(JSON.parse(readFileSync("dist/assets/schemas.json", "utf8")));

test("every served kind in every version has a schema", () => {
  for (const { group, versions, kind } of [...RESOURCES, ...REVIEWS]) {
    for (const version of versions) {
      const apiVersion = group === "" ? version : `${group}/${version}`;
      assert.ok(schemas.fieldAt(apiVersion, kind) !== undefined, `${apiVersion} ${kind}`);
    }
  }
});

const deployment = (spec: object) => ({ apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "x" }, spec });
const podSpec = (container: object) => ({ template: { spec: { containers: [{ name: "a", ...container }] } } });
const virtualService = (spec: object) => ({
  apiVersion: "networking.istio.io/v1alpha3",
  kind: "VirtualService",
  metadata: { name: "x" },
  spec,
});

const cases: readonly {
  readonly name: string;
  readonly object: { readonly apiVersion: string; readonly kind: string };
  readonly unknown?: readonly string[];
  readonly problems?: readonly string[];
}[] = [
  {
    name: "a field of Istio's API that is newer than the declarations",
    object: virtualService({ hosts: ["a"], http: [{ redirect: { prefixRewrite: "/new/" } }] }),
  },
  { name: "a misspelt field", object: deployment({ replicass: 1 }), unknown: ["spec.replicass"] },
  {
    name: "a misspelt field in a list",
    object: deployment(podSpec({ imagee: "x", ports: [{ containerPort: 80, hots: 1 }] })),
    unknown: ["spec.template.spec.containers[0].imagee", "spec.template.spec.containers[0].ports[0].hots"],
  },
  {
    name: "text where a number belongs, as Go says it",
    object: deployment({ replicas: "three" }),
    problems: [": json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"],
  },
  {
    name: "a number as an environment value, as Go says it",
    object: deployment(podSpec({ env: [{ name: "A", value: 1 }] })),
    problems: [
      ": json: cannot unmarshal number into Go struct field EnvVar.spec.template.spec.containers.env.value of type string",
    ],
  },
  {
    name: "an object where a list belongs",
    object: { apiVersion: "v1", kind: "Pod", ...{ spec: { containers: {} } } },
    problems: [": json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container"],
  },
  {
    name: "a fraction where an integer belongs",
    object: deployment({ replicas: 1.5 }),
    problems: [": json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32"],
  },
  {
    name: "a number as a label",
    object: { apiVersion: "v1", kind: "ConfigMap", ...{ metadata: { labels: { a: 1 } } } },
    problems: [": json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string"],
  },
  { name: "any key in a map", object: { apiVersion: "v1", kind: "ConfigMap", ...{ data: { "any.key": "x" } } } },
  {
    name: "numbers and text as quantities and ports",
    object: deployment(
      podSpec({ resources: { limits: { cpu: 1, memory: "64Mi" } }, livenessProbe: { httpGet: { port: "http" } } }),
    ),
  },
  {
    name: "a quantity that is none",
    object: deployment(podSpec({ resources: { limits: { cpu: "lots" } } })),
    problems: [": quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"],
  },
  {
    name: "data that is not base64",
    object: { apiVersion: "v1", kind: "Secret", ...{ data: { a: "ab!d" } } },
    problems: [": illegal base64 data at input byte 2"],
  },
  { name: "null as absent", object: deployment({ replicas: null, strategy: null }) },
  {
    name: "custom kinds in a schema's words",
    object: virtualService({ hosts: "front-end", http: [{ route: [{ weight: "1", destination: {} }] }] }),
    problems: [
      'spec.hosts: Invalid value: "string": spec.hosts in body must be of type array: "string"',
      "spec.http[0].route[0].destination.host: Required value",
      'spec.http[0].route[0].weight: Invalid value: "string": spec.http[0].route[0].weight in body must be of type integer: "string"',
    ],
  },
  {
    name: "two members of a oneOf",
    object: virtualService({ http: [{ match: [{ uri: { exact: "/", prefix: "/" } }] }] }),
    problems: [
      'spec.http[0].match[0].uri: Invalid value: "": "spec.http[0].match[0].uri" must validate one and only one schema (oneOf). Found 2 valid alternatives',
    ],
  },
  {
    name: "a deprecated spelling",
    object: virtualService({ http: [{ mirror_percent: 100, corsPolicy: { allowOrigin: ["*"] } }] }),
  },
  {
    name: "a value that is not in the list",
    object: {
      apiVersion: "security.istio.io/v1",
      kind: "PeerAuthentication",
      ...{ spec: { mtls: { mode: "strict" } } },
    },
    problems: [
      'spec.mtls.mode: Unsupported value: "strict": supported values: "UNSET", "DISABLE", "PERMISSIVE", "STRICT"',
    ],
  },
  {
    name: "whatever an EnvoyFilter patches",
    object: {
      apiVersion: "networking.istio.io/v1alpha3",
      kind: "EnvoyFilter",
      ...{ spec: { configPatches: [{ patch: { value: { typed_config: { "@type": "x" } } } }] } },
    },
  },
  {
    name: "a kind without a schema",
    object: { apiVersion: "batch/v1", kind: "Job" },
    problems: [': no kind "Job" is registered for version "batch/v1"'],
  },
];
for (const c of cases) {
  test(`check reports ${c.name}`, () => {
    const report = schemas.check(c.object.apiVersion, c.object.kind, c.object);
    assert.deepEqual(report.unknownFields, c.unknown ?? []);
    const texts = report.problems.map((p) => `${p.reason === "DecodeFailure" ? "" : p.path}: ${p.message}`);
    assert.deepEqual(texts.sort(), [...(c.problems ?? [])].sort());
  });
}

test("pruning drops unknown fields and shares what it leaves alone", () => {
  const object = deployment({ ...podSpec({ imagee: "x", image: "y" }), selector: { matchLabels: { a: "b" } } });
  const { pruned } = schemas.check("apps/v1", "Deployment", object);
  assert.deepEqual(pruned, deployment({ ...podSpec({ image: "y" }), selector: { matchLabels: { a: "b" } } }));
  const clean = deployment(podSpec({ image: "y" }));
  assert.equal(schemas.check("apps/v1", "Deployment", clean).pruned, clean);
});

test("a walk by field names finds merge keys, list keys and atomic objects", () => {
  const spec = schemas.fieldAt("apps/v1", "Deployment")?.child("spec");
  const pod = spec?.child("template")?.child("spec");
  const containers = pod?.child("containers");
  assert.equal(containers?.mergeKey, "name");
  assert.equal(containers?.strategy, "merge");
  const ports = containers?.item()?.child("ports");
  assert.deepEqual([ports?.mergeKey, ports?.listKeys], ["containerPort", ["containerPort", "protocol"]]);
  assert.equal(ports?.item()?.child("protocol")?.defaultValue, "TCP");
  assert.equal(pod?.child("tolerations")?.strategy, "replace");
  assert.equal(pod?.child("volumes")?.retainKeys, true);
  assert.equal(spec?.child("strategy")?.retainKeys, true);
  assert.equal(spec?.child("selector")?.isAtomic, true);
  assert.equal(spec?.child("nonsense"), undefined);
  const finalizers = schemas.fieldAt("v1", "Pod")?.child("metadata")?.child("finalizers");
  assert.deepEqual([finalizers?.mergeKey, finalizers?.strategy, finalizers?.listType], [undefined, "merge", "set"]);
  assert.equal(schemas.fieldAt("v1", "Pod")?.child("metadata")?.child("labels")?.child("x")?.type, "string");
});

test("OpenAPI documents name the patch types, fieldValidation and every reference", () => {
  const index = schemas.openApiIndex();
  assert.match(
    index.paths["apis/apps/v1"]?.serverRelativeURL ?? "",
    /^\/openapi\/v3\/apis\/apps\/v1\?hash=[0-9a-f]{16}$/,
  );
  for (const path of Object.keys(index.paths)) {
    const { json } = schemas.openApiDocument(path) ?? { json: "" };
    const document = JSON.parse(json);
    for (const [, name] of json.matchAll(/#\/components\/schemas\/([\w.]+)/g)) {
      assert.ok(document.components.schemas[name ?? ""] !== undefined, `${path} lacks ${name}`);
    }
  }
  const apps = JSON.parse(schemas.openApiDocument("apis/apps/v1")?.json ?? "");
  const patch = apps.paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"].patch;
  assert.deepEqual(patch["x-kubernetes-group-version-kind"], { group: "apps", kind: "Deployment", version: "v1" });
  assert.ok(patch.parameters.some((p: { name: string }) => p.name === "fieldValidation"));
  assert.ok("application/strategic-merge-patch+json" in patch.requestBody.content);
  const mesh = JSON.parse(schemas.openApiDocument("apis/networking.istio.io/v1beta1")?.json ?? "");
  const custom = mesh.paths["/apis/networking.istio.io/v1beta1/namespaces/{namespace}/gateways/{name}"].patch;
  assert.equal("application/strategic-merge-patch+json" in custom.requestBody.content, false);
  assert.equal(schemas.openApiDocument("apis/nowhere/v1"), undefined);
});
