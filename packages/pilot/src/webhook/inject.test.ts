import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "@argyle/kube-types";
import jsonpatch from "fast-json-patch";
import { decodeMeshConfig } from "../model/mesh-config.ts";
import { answerInject, answerValidate } from "./admission.ts";
import { decodeAdmissionReview, encodeAdmissionReview } from "./admission-review.ts";
import { injectPod } from "./inject.ts";
import { decideInjection } from "./injection-policy.ts";

const options = {
  mesh: decodeMeshConfig({ defaultConfig: { tracing: { sampling: 100 } } }),
  caAddress: "istiod.istio-system.svc:15012",
  revision: "default",
};

function pod(
  more: { labels?: Record<string, string>; annotations?: Record<string, string>; hostNetwork?: boolean } = {},
): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "",
      generateName: "catalogue-6d4f9-",
      labels: { name: "catalogue", version: "v1", "pod-template-hash": "6d4f9", ...more.labels },
      ...(more.annotations === undefined ? {} : { annotations: more.annotations }),
      ownerReferences: [
        { apiVersion: "apps/v1", kind: "ReplicaSet", name: "catalogue-6d4f9", uid: "u", controller: true },
      ],
    },
    spec: {
      containers: [{ name: "catalogue", image: "weaveworksdemos/catalogue:0.3.5", ports: [{ containerPort: 80 }] }],
      ...(more.hostNetwork === undefined ? {} : { hostNetwork: more.hostNetwork }),
    },
  };
}

const decisions: readonly {
  readonly name: string;
  readonly pod: Pod;
  readonly namespace?: string;
  readonly labels?: Record<string, string>;
  readonly injects: boolean;
}[] = [
  { name: "a labelled namespace", pod: pod(), labels: { "istio-injection": "enabled" }, injects: true },
  { name: "an unlabelled namespace", pod: pod(), labels: {}, injects: false },
  { name: "a namespace nobody knows, asked by the webhook", pod: pod(), injects: true },
  {
    name: "a pod that asks in an unlabelled namespace",
    pod: pod({ labels: { "sidecar.istio.io/inject": "true" } }),
    labels: {},
    injects: true,
  },
  {
    name: "a pod that refuses by annotation",
    pod: pod({ annotations: { "sidecar.istio.io/inject": "false" } }),
    labels: { "istio-injection": "enabled" },
    injects: false,
  },
  {
    name: "a label against an annotation",
    pod: pod({ labels: { "sidecar.istio.io/inject": "yes" }, annotations: { "sidecar.istio.io/inject": "false" } }),
    labels: {},
    injects: true,
  },
  {
    name: "the host's network",
    pod: pod({ hostNetwork: true }),
    labels: { "istio-injection": "enabled" },
    injects: false,
  },
  {
    name: "kube-system",
    pod: pod(),
    namespace: "kube-system",
    labels: { "istio-injection": "enabled" },
    injects: false,
  },
  { name: "our revision", pod: pod(), labels: { "istio.io/rev": "default" }, injects: true },
  { name: "another revision", pod: pod(), labels: { "istio.io/rev": "canary" }, injects: false },
  { name: "a disabled namespace", pod: pod(), labels: { "istio-injection": "disabled" }, injects: false },
  {
    name: "a pod that has a sidecar already",
    pod: pod({ annotations: { "sidecar.istio.io/status": "{}" } }),
    labels: { "istio-injection": "enabled" },
    injects: false,
  },
];
for (const c of decisions) {
  test(`injection into ${c.name}: ${c.injects ? "yes" : "no"}`, () => {
    const decision = decideInjection({
      pod: c.pod,
      namespace: c.namespace ?? "shop",
      namespaceLabels: c.labels,
      revision: "default",
    });
    assert.equal(decision.inject, c.injects);
  });
}

function injected(given: Pod): Pod {
  const patch = injectPod(given, { name: "sock-shop", labels: { "istio-injection": "enabled" } }, options);
  return jsonpatch.applyPatch(structuredClone(given), structuredClone(patch) as never).newDocument as Pod;
}

test("adds the proxy, its volumes, labels and status", () => {
  const result = injected(pod());
  const proxy = result.spec.containers.at(-1);
  assert.equal(proxy?.name, "istio-proxy");
  assert.deepEqual(proxy?.args?.slice(0, 2), ["proxy", "sidecar"]);
  const env = new Map(proxy?.env?.map((variable) => [variable.name, variable.value]));
  assert.equal(env.get("ISTIO_META_WORKLOAD_NAME"), "catalogue");
  assert.equal(env.get("ISTIO_META_OWNER"), "kubernetes://apis/apps/v1/namespaces/sock-shop/deployments/catalogue");
  assert.equal(env.get("CA_ADDR"), "istiod.istio-system.svc:15012");
  assert.equal(JSON.parse(env.get("PROXY_CONFIG") ?? "{}").tracing.sampling, 100);
  assert.deepEqual(
    result.spec.volumes?.map((volume) => volume.name),
    ["workload-socket", "istio-envoy", "istio-data", "istio-podinfo", "istio-token", "istiod-ca-cert"],
  );
  const mounts = proxy?.volumeMounts?.map((mount) => mount.name);
  for (const volume of result.spec.volumes ?? []) assert.ok(mounts?.includes(volume.name), `${volume.name} is mounted`);
  assert.equal(result.metadata.labels?.["security.istio.io/tlsMode"], "istio");
  assert.equal(result.metadata.labels?.["service.istio.io/canonical-name"], "catalogue");
  assert.equal(result.metadata.labels?.["service.istio.io/canonical-revision"], "v1");
  assert.equal(result.metadata.annotations?.["prometheus.io/port"], "15020");
  assert.equal(
    JSON.parse(result.metadata.annotations?.["sidecar.istio.io/status"] ?? "{}").containers[0],
    "istio-proxy",
  );
  assert.equal(result.spec.initContainers, undefined);
});

test("leaves a pod that must not be scraped alone", () => {
  const result = injected(pod({ annotations: { "prometheus.io/scrape": "false" } }));
  assert.equal(result.metadata.annotations?.["prometheus.io/scrape"], "false");
  assert.equal(result.metadata.annotations?.["prometheus.io/port"], undefined);
});

test("a second pass changes nothing", () => {
  assert.deepEqual(injectPod(injected(pod()), { name: "sock-shop" }, options), []);
});

test("the gateway template completes the container the pod names", () => {
  const base = pod({ annotations: { "inject.istio.io/templates": "gateway" } });
  const given: Pod = {
    ...base,
    spec: {
      containers: [{ name: "istio-proxy", image: "auto", env: [{ name: "CA_ADDR", value: "elsewhere:15012" }] }],
    },
  };
  const [proxy, ...others] = injected(given).spec.containers;
  assert.deepEqual(others, []);
  assert.deepEqual(proxy?.args?.slice(0, 2), ["proxy", "router"]);
  assert.match(proxy?.image ?? "", /istio\/proxyv2:/);
  assert.deepEqual(
    proxy?.env?.filter((variable) => variable.name === "CA_ADDR"),
    [{ name: "CA_ADDR", value: "elsewhere:15012" }],
  );
});

test("an AdmissionReview is answered with a base64 JSON patch under its own uid", () => {
  const request = decodeAdmissionReview({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: { uid: "u1", namespace: "shop", operation: "CREATE", object: pod() },
  });
  assert.ok(request);
  const answer = answerInject(request, { name: "shop" }, options);
  const review = encodeAdmissionReview(request.uid, answer) as {
    readonly response: {
      readonly uid: string;
      readonly allowed: boolean;
      readonly patchType: string;
      readonly patch: string;
    };
  };
  assert.equal(review.response.uid, "u1");
  assert.equal(review.response.patchType, "JSONPatch");
  assert.ok(Array.isArray(JSON.parse(Buffer.from(review.response.patch, "base64").toString())));
});

test("validation refuses with every problem in one message", () => {
  const request = decodeAdmissionReview({
    request: { uid: "u2", operation: "CREATE", object: { kind: "VirtualService", metadata: { name: "a" } } },
  });
  assert.ok(request);
  const answer = answerValidate(request, () => ({
    errors: [
      { path: "spec.hosts", message: "is required" },
      { path: "spec.http[0].timeout", message: "must be positive" },
    ],
    warnings: [],
  }));
  assert.deepEqual(answer, {
    allowed: false,
    message: "configuration is invalid: spec.hosts: is required; spec.http[0].timeout: must be positive",
  });
});
