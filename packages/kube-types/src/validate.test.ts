import assert from "node:assert/strict";
import { test } from "node:test";
import { applyDefaults } from "./defaults.ts";
import { validateCreate, validateUpdate } from "./validate.ts";

const metadata = { name: "x", namespace: "d" };
const of = (apiVersion: string, kind: string, rest: object) => applyDefaults({ apiVersion, kind, metadata, ...rest });
const pod = (container: object, spec: object = {}) =>
  of("v1", "Pod", { spec: { containers: [{ name: "a", image: "i:1", ...container }], ...spec } });
const service = (spec: object) => of("v1", "Service", { spec });
const deployment = (spec: object) =>
  of("apps/v1", "Deployment", {
    spec: {
      selector: { matchLabels: { app: "x" } },
      template: { metadata: { labels: { app: "x" } }, spec: { containers: [{ name: "a", image: "i" }] } },
      ...spec,
    },
  });
const webhook = (more: object) =>
  of("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", {
    metadata: { name: "x" },
    webhooks: [
      {
        name: "a.b.c",
        sideEffects: "None",
        admissionReviewVersions: ["v1"],
        clientConfig: { url: "https://h/p" },
        ...more,
      },
    ],
  });

const cases = [
  { name: "a plain pod", object: pod({}), problems: [] },
  { name: "a deployment", object: deployment({}), problems: [] },
  {
    name: "a name in capitals",
    object: of("v1", "ConfigMap", { metadata: { name: "Web", namespace: "d" } }),
    problems: [
      `metadata.name: Invalid value: "Web": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
    ],
  },
  {
    name: "a namespace on a cluster-wide kind",
    object: of("v1", "Namespace", {}),
    problems: ["metadata.namespace: Forbidden: not allowed on this type"],
  },
  {
    name: "no name",
    object: of("v1", "ConfigMap", { metadata: { namespace: "d" } }),
    problems: ["metadata.name: Required value: name or generateName is required"],
  },
  {
    name: "no image and a mount without volume",
    object: pod({ image: "", volumeMounts: [{ name: "v", mountPath: "/v" }] }),
    problems: ["spec.containers[0].image: Required value", 'spec.containers[0].volumeMounts[0].name: Not found: "v"'],
  },
  {
    name: "two containers of one name",
    object: pod({}, { initContainers: [{ name: "a", image: "i" }] }),
    problems: ['spec.initContainers[0].name: Duplicate value: "a"'],
  },
  {
    name: "a probe that does nothing",
    object: pod({ livenessProbe: { periodSeconds: 5 } }),
    problems: ["spec.containers[0].livenessProbe: Required value: must specify a handler type"],
  },
  {
    name: "requests over limits",
    object: pod({ resources: { limits: { cpu: "1" }, requests: { cpu: "1500m" } } }),
    problems: [
      'spec.containers[0].resources.requests: Invalid value: "1500m": must be less than or equal to cpu limit of 1',
    ],
  },
  {
    name: "an unknown restart policy",
    object: pod({}, { restartPolicy: "Sometimes" }),
    problems: ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"'],
  },
  {
    name: "a template without the selector's labels",
    object: deployment({ selector: { matchLabels: { app: "y" } } }),
    problems: [
      'spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not match template `labels`',
    ],
  },
  {
    name: "a deployment of pods that end",
    object: deployment({
      template: {
        metadata: { labels: { app: "x" } },
        spec: { restartPolicy: "Never", containers: [{ name: "a", image: "i" }] },
      },
    }),
    problems: ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
  },
  {
    name: "no selector",
    object: deployment({ selector: undefined }),
    problems: ["spec.selector: Required value"],
  },
  { name: "a service without ports", object: service({}), problems: ["spec.ports: Required value"] },
  { name: "a headless service without ports", object: service({ clusterIP: "None" }), problems: [] },
  {
    name: "ports without names and twice",
    object: service({ ports: [{ port: 80 }, { port: 80, name: "b" }] }),
    problems: ["spec.ports[0].name: Required value", 'spec.ports[1]: Duplicate value: {"port":80,"protocol":"TCP"}'],
  },
  {
    name: "a node port out of range",
    object: service({ type: "NodePort", ports: [{ port: 80, nodePort: 80 }] }),
    problems: [
      "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767",
    ],
  },
  {
    name: "a config key with a slash",
    object: of("v1", "ConfigMap", { data: { "a/b": "" } }),
    problems: [
      `data[a/b]: Invalid value: "a/b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`,
    ],
  },
  {
    name: "a TLS secret without key",
    object: of("v1", "Secret", { type: "kubernetes.io/tls", data: { "tls.crt": "" } }),
    problems: ["data[tls.key]: Required value"],
  },
  { name: "a webhook", object: webhook({}), problems: [] },
  {
    name: "a webhook with url and service",
    object: webhook({ clientConfig: { url: "https://h", service: { name: "s", namespace: "n" } } }),
    problems: ["webhooks[0].clientConfig: Required value: exactly one of url or service is required"],
  },
];
for (const c of cases) {
  test(`create: ${c.name}`, () => {
    assert.deepEqual(
      validateCreate(c.object).map((p) => `${p.path}: ${p.message}`),
      c.problems,
    );
  });
}

const updates = [
  { name: "a pod's image may change", before: pod({}), after: pod({ image: "i:2" }), problems: [] },
  {
    name: "a pod's environment may not",
    before: pod({}),
    after: pod({ env: [{ name: "A", value: "b" }] }),
    problems: [/^spec: Forbidden: pod updates may not change fields other than `spec.containers\[\*\].image`/],
  },
  {
    name: "a selector is immutable",
    before: deployment({}),
    after: deployment({
      selector: { matchLabels: { app: "y" } },
      template: { metadata: { labels: { app: "y" } }, spec: { containers: [{ name: "a", image: "i" }] } },
    }),
    problems: [/^spec.selector: Invalid value: \{"matchLabels":\{"app":"y"\}\}: field is immutable$/],
  },
  {
    name: "a cluster IP stays",
    before: service({ clusterIP: "10.96.0.9", ports: [{ port: 1 }] }),
    after: service({ clusterIP: "10.96.0.8", ports: [{ port: 1 }] }),
    problems: [/^spec.clusterIPs\[0\]: Invalid value: \["10.96.0.8"\]: may not change once set$/],
  },
  {
    name: "an immutable ConfigMap stays",
    before: of("v1", "ConfigMap", { immutable: true, data: { a: "1" } }),
    after: of("v1", "ConfigMap", { immutable: true, data: { a: "2" } }),
    problems: [/^data: Forbidden: field is immutable when `immutable` is set$/],
  },
];
for (const c of updates) {
  test(`update: ${c.name}`, () => {
    const texts = validateUpdate(c.before, c.after).map((p) => `${p.path}: ${p.message}`);
    assert.equal(texts.length, c.problems.length, texts.join("\n"));
    for (const [index, pattern] of c.problems.entries()) assert.match(texts[index] ?? "", pattern);
  });
}
