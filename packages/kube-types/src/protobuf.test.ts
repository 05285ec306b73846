import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeProtobuf } from "./protobuf.ts";

/** What kubectl 1.32 sent for `kubectl create deployment web --image=nginx --replicas=2`. */
const CREATE_DEPLOYMENT =
  "azhzAAoVCgdhcHBzL3YxEgpEZXBsb3ltZW50EqsBCh8KA3dlYhIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEnoIAhIMCgoKA2FwcBIDd2ViGmAKHAoAEgAaACIAKgAyADgAQgBaCgoDYXBwEgN3ZWISQBIiCgVuZ2lueBIFbmdpbngqAEIAagByAIABAIgBAJABAKIBABoAMgBCAEoAUgBYAGAAaACCAQCKAQCaAQDCAQAiAgoAKAA4ABoMCAAQABgAIAAoADgAGgAiAA==";

const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, "base64"));
const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)]);
const text = (value: string) => [...new TextEncoder().encode(value)];
const bytes = (number: number, value: readonly number[]) => [
  ...varint((number << 3) | 2),
  ...varint(value.length),
  ...value,
];
const string = (number: number, value: string) => bytes(number, text(value));
const int = (number: number, value: number) => [...varint(number << 3), ...varint(value)];
const body = (apiVersion: string, kind: string, object: readonly number[]) =>
  new Uint8Array([
    ...text("k8s\0"),
    ...bytes(1, [...string(1, apiVersion), ...string(2, kind)]),
    ...bytes(2, object),
    ...string(3, ""),
    ...string(4, ""),
  ]);

test("decodes what kubectl sends", () => {
  assert.deepEqual(decodeProtobuf(bytesOf(CREATE_DEPLOYMENT)), {
    ok: true,
    value: {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "web", labels: { app: "web" } },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: "web" } },
        strategy: {},
        template: {
          metadata: { labels: { app: "web" } },
          spec: { containers: [{ name: "nginx", image: "nginx", resources: {} }] },
        },
      },
      status: { replicas: 0 },
    },
  });
});

const cases = [
  {
    name: "inlined members, empty messages, pointers to zero and unknown numbers",
    body: body("v1", "Pod", [
      ...bytes(2, [
        ...bytes(1, [...string(1, "tmp"), ...bytes(2, bytes(2, []))]),
        ...bytes(1, [...string(1, "c"), ...bytes(2, bytes(19, [...bytes(1, string(1, "cm")), ...int(3, 0)]))]),
        ...int(4, 0),
        ...string(10, ""),
        ...int(11, 0),
        ...string(999, "from the future"),
      ]),
    ]),
    value: {
      apiVersion: "v1",
      kind: "Pod",
      spec: {
        volumes: [
          { name: "tmp", emptyDir: {} },
          { name: "c", configMap: { name: "cm", defaultMode: 0 } },
        ],
        terminationGracePeriodSeconds: 0,
      },
    },
  },
  {
    name: "times, quantities, ports by name and number",
    body: body("v1", "Service", [
      ...bytes(1, [...string(1, "s"), ...bytes(8, int(1, 1_700_000_000)), ...bytes(9, [])]),
      ...bytes(2, [
        ...bytes(1, [...int(3, 80), ...bytes(4, [...int(1, 1), ...int(2, 0), ...string(3, "http")])]),
        ...bytes(1, [...int(3, 81), ...bytes(4, [...int(1, 0), ...int(2, 8081), ...string(3, "")])]),
      ]),
    ]),
    value: {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "s", creationTimestamp: "2023-11-14T22:13:20Z" },
      spec: {
        ports: [
          { port: 80, targetPort: "http" },
          { port: 81, targetPort: 8081 },
        ],
      },
    },
  },
  {
    name: "a secret's bytes as base64",
    body: body("v1", "Secret", bytes(2, [...string(1, "k"), ...bytes(2, [255, 0, 1])])),
    value: { apiVersion: "v1", kind: "Secret", data: { k: "/wAB" } },
  },
  {
    name: "DeleteOptions of any group",
    body: body("apps/v1", "DeleteOptions", [...int(1, 0), ...string(4, "Background")]),
    value: { apiVersion: "apps/v1", kind: "DeleteOptions", gracePeriodSeconds: 0, propagationPolicy: "Background" },
  },
];
for (const c of cases) {
  test(`decodes ${c.name}`, () => assert.deepEqual(decodeProtobuf(c.body), { ok: true, value: c.value }));
}

test("a kind that is not served, a body of another form and a cut-off body are problems", () => {
  assert.match(messageOf(body("batch/v1", "Job", [])), /no kind "Job" is registered for version "batch\/v1"/);
  assert.match(messageOf(new Uint8Array(text("{}"))), /does not start with k8s/);
  assert.match(messageOf(bytesOf(CREATE_DEPLOYMENT).subarray(0, 60)), /cut off/);
});

test("a body cut anywhere never throws", () => {
  const whole = bytesOf(CREATE_DEPLOYMENT);
  for (let length = 0; length < whole.length; length++) decodeProtobuf(whole.subarray(0, length));
});

function messageOf(input: Uint8Array): string {
  const result = decodeProtobuf(input);
  return result.ok ? "" : (result.error[0]?.message ?? "");
}
