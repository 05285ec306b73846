import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type Answer, makeDefaultAccount, startHarness } from "./harness.ts";

const CMS = "/api/v1/namespaces/default/configmaps";
const PODS = "/api/v1/namespaces/default/pods";
const DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments";
const VS = "/apis/networking.istio.io/v1/namespaces/default/virtualservices";

const pod = (name: string, spec: object = {}) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name },
  spec: { containers: [{ name: "c", image: "i" }], ...spec },
});
const deployment = (name: string, spec: object = {}) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "c", image: "i" }] } },
    ...spec,
  },
});
const virtualService = (name: string, more: object = {}) => ({
  apiVersion: "networking.istio.io/v1",
  kind: "VirtualService",
  metadata: { name },
  spec: { hosts: ["a"], http: [{ route: [{ destination: { host: "a" } }] }], ...more },
});

function reasonOf(answer: Answer): unknown {
  return [answer.code, answer.body.reason];
}

test("anonymous clients get health and version, nothing else", async (t) => {
  const h = await startHarness(t);
  for (const path of ["/healthz", "/readyz", "/livez", "/version"]) await h.must(200, "GET", path, { anonymous: true });
  assert.deepEqual(reasonOf(await h.ask("GET", CMS, { anonymous: true })), [401, "Unauthorized"]);
  assert.deepEqual(reasonOf(await h.ask("GET", CMS, { token: "nonsense.not.atoken" })), [401, "Unauthorized"]);
  assert.equal((await h.must(200, "GET", "/version")).body.minor, "34");
});

test("a new cluster has its namespaces and the kubernetes service", async (t) => {
  const h = await startHarness(t);
  const { body } = await h.must(200, "GET", "/api/v1/namespaces");
  const names = body.items.map((n: { metadata: { name: string } }) => n.metadata.name);
  assert.deepEqual(names, ["default", "kube-node-lease", "kube-public", "kube-system"]);
  const service = await h.must(200, "GET", "/api/v1/namespaces/default/services/kubernetes");
  assert.equal(service.body.spec.clusterIP, "10.96.0.1");
  const slice = await h.must(200, "GET", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes");
  assert.equal(slice.body.ports[0].port, h.server.port);
});

test("objects survive a restart, the port may change", async (t) => {
  const h = await startHarness(t);
  await h.must(201, "POST", CMS, { body: { metadata: { name: "a" }, data: { k: "v" } } });
  const before = (await h.must(200, "GET", `${CMS}/a`)).body;
  await h.server.close();
  const again = await startHarness(t, { stateDir: h.stateDir });
  assert.deepEqual((await again.must(200, "GET", `${CMS}/a`)).body, before);
  assert.equal(again.server.pki.caCertPem, h.server.pki.caCertPem);
  assert.match(readFileSync(again.server.kubeconfigs.admin, "utf8"), new RegExp(`127.0.0.1:${again.server.port}`));
});

test("create sets what is the server's and resets status", async (t) => {
  const h = await startHarness(t);
  await makeDefaultAccount(h);
  const { body } = await h.must(201, "POST", PODS, { body: { ...pod("p"), status: { phase: "Running" } } });
  assert.match(body.metadata.uid, /^[0-9a-f-]{36}$/);
  assert.deepEqual(body.status, { phase: "Pending", qosClass: "BestEffort" });
  assert.deepEqual(body.spec.securityContext, {});
  assert.equal(body.spec.serviceAccountName, "default");
  assert.equal(body.spec.containers[0].volumeMounts[0].mountPath, "/var/run/secrets/kubernetes.io/serviceaccount");
  const generated = await h.must(201, "POST", CMS, { body: { metadata: { generateName: "g-" } } });
  assert.match(generated.body.metadata.name, /^g-[a-z0-9]{5}$/);
});

test("failures are Kubernetes' Status objects", async (t) => {
  const h = await startHarness(t);
  await h.must(201, "POST", CMS, { body: { metadata: { name: "a" } } });
  const cases = [
    { is: [404, "NotFound"], got: await h.ask("GET", `${CMS}/x`), message: 'configmaps "x" not found' },
    {
      is: [404, "NotFound"],
      got: await h.ask("GET", `${DEPLOYMENTS}/x`),
      message: 'deployments.apps "x" not found',
    },
    {
      is: [409, "AlreadyExists"],
      got: await h.ask("POST", CMS, { body: { metadata: { name: "a" } } }),
      message: 'configmaps "a" already exists',
    },
    {
      is: [404, "NotFound"],
      got: await h.ask("POST", "/api/v1/namespaces/nope/configmaps", { body: { metadata: { name: "a" } } }),
      message: 'namespaces "nope" not found',
    },
    {
      is: [400, "BadRequest"],
      got: await h.ask("POST", CMS, { body: { apiVersion: "v1", kind: "Secret", metadata: { name: "a" } } }),
      message: /does not match the expected kind/,
    },
    { is: [400, "BadRequest"], got: await h.ask("POST", CMS, { body: Buffer.from("{") }), message: /unrecognized/ },
    {
      is: [415, "UnsupportedMediaType"],
      got: await h.ask("POST", CMS, { body: Buffer.from("x"), type: "text/plain" }),
      message: /unknown format/,
    },
    { is: [405, "MethodNotAllowed"], got: await h.ask("PUT", CMS, { body: {} }), message: /PUT/ },
    { is: [404, "NotFound"], got: await h.ask("GET", "/nope"), message: /could not find the requested resource/ },
    { is: [406, "NotAcceptable"], got: await h.ask("GET", CMS, { accept: "text/html" }), message: /media types/ },
    {
      is: [400, "BadRequest"],
      got: await h.ask("GET", `${CMS}?fieldSelector=data.x=1`),
      message: /field label not supported: data.x/,
    },
  ];
  for (const c of cases) {
    assert.deepEqual(reasonOf(c.got), c.is);
    assert.equal(c.got.body.kind, "Status");
    if (typeof c.message === "string") assert.equal(c.got.body.message, c.message);
    else assert.match(c.got.body.message, c.message);
  }
});

test("unknown fields are refused, warned about or ignored, and never stored", async (t) => {
  const h = await startHarness(t);
  const body = virtualService("a", { hostz: 1 });
  const strict = await h.ask("POST", `${VS}?fieldValidation=Strict`, { body });
  assert.deepEqual(reasonOf(strict), [400, "BadRequest"]);
  assert.match(strict.body.message, /strict decoding error: unknown field "spec.hostz"/);
  const warned = await h.must(201, "POST", VS, { body });
  assert.equal(warned.headers.warning, '299 - "unknown field \\"spec.hostz\\""');
  assert.equal("hostz" in warned.body.spec, false);
  const ignored = await h.must(201, "POST", `${VS}?fieldValidation=Ignore`, {
    body: { ...body, metadata: { name: "b" } },
  });
  assert.equal(ignored.headers.warning, undefined);
});

test("an invalid object lists every cause with its field", async (t) => {
  const h = await startHarness(t);
  const { body, code } = await h.ask("POST", DEPLOYMENTS, {
    body: deployment("Bad_Name", { selector: { matchLabels: { app: "other" } } }),
  });
  assert.equal(code, 422);
  const fields = body.details.causes.map((c: { field: string }) => c.field);
  assert.ok(fields.includes("metadata.name"), String(fields));
  assert.ok(fields.includes("spec.template.metadata.labels"), String(fields));
});

test("one object is served under every version", async (t) => {
  const h = await startHarness(t);
  const alpha = VS.replace("/v1/", "/v1alpha3/");
  await h.must(201, "POST", alpha, { body: { ...virtualService("a"), apiVersion: "networking.istio.io/v1alpha3" } });
  assert.equal((await h.must(200, "GET", `${VS}/a`)).body.apiVersion, "networking.istio.io/v1");
  assert.equal((await h.must(200, "GET", `${alpha}/a`)).body.apiVersion, "networking.istio.io/v1alpha3");
  const patched = await h.must(200, "PATCH", `${alpha}/a`, {
    type: "application/merge-patch+json",
    body: { spec: { hosts: ["b"] } },
  });
  assert.equal(patched.body.apiVersion, "networking.istio.io/v1alpha3");
  const events = await h.watch(`${VS.replace("/v1/", "/v1beta1/")}?watch=1`, (e) => e.length > 0);
  assert.equal(events[0]?.object.apiVersion, "networking.istio.io/v1beta1");
});

test("status and spec are written apart, generation counts spec changes", async (t) => {
  const h = await startHarness(t);
  await h.must(201, "POST", DEPLOYMENTS, { body: deployment("d") });
  const merge = "application/merge-patch+json";
  const main = await h.must(200, "PATCH", `${DEPLOYMENTS}/d`, {
    type: merge,
    body: { spec: { replicas: 3 }, status: { replicas: 9 } },
  });
  assert.equal(main.body.status.replicas, undefined);
  assert.equal(main.body.metadata.generation, 2);
  const status = await h.must(200, "PATCH", `${DEPLOYMENTS}/d/status`, {
    type: merge,
    body: { spec: { replicas: 7 }, status: { replicas: 2 } },
  });
  assert.equal(status.body.status.replicas, 2);
  assert.equal(status.body.spec.replicas, 3);
  assert.equal(status.body.metadata.generation, 2);
  const labelled = await h.must(200, "PATCH", `${DEPLOYMENTS}/d`, {
    type: merge,
    body: { metadata: { labels: { a: "b" } } },
  });
  assert.equal(labelled.body.metadata.generation, 2);
  const scale = await h.must(200, "PATCH", `${DEPLOYMENTS}/d/scale`, { type: merge, body: { spec: { replicas: 5 } } });
  assert.deepEqual([scale.body.kind, scale.body.spec.replicas, scale.body.status.selector], ["Scale", 5, "app=d"]);
});

test("an update from an old resourceVersion is a conflict; one that changes nothing makes no revision", async (t) => {
  const h = await startHarness(t);
  const first = (await h.must(201, "POST", CMS, { body: { metadata: { name: "a" }, data: { k: "1" } } })).body;
  const second = (await h.must(200, "PUT", `${CMS}/a`, { body: { ...first, data: { k: "2" } } })).body;
  const stale = await h.ask("PUT", `${CMS}/a`, { body: { ...first, data: { k: "3" } } });
  assert.deepEqual(reasonOf(stale), [409, "Conflict"]);
  assert.match(stale.body.message, /the object has been modified/);
  const same = await h.must(200, "PUT", `${CMS}/a`, { body: second });
  assert.equal(same.body.metadata.resourceVersion, second.metadata.resourceVersion);
  await h.must(200, "PUT", `${CMS}/a`, { body: { metadata: { name: "a" }, data: { k: "4" } } });
});

test("patches of many clients at once are all there", async (t) => {
  const h = await startHarness(t);
  await h.must(201, "POST", CMS, { body: { metadata: { name: "a" } } });
  const names = Array.from({ length: 20 }, (_, i) => `k${i}`);
  await Promise.all(
    names.map((name) =>
      h.must(200, "PATCH", `${CMS}/a`, { type: "application/merge-patch+json", body: { data: { [name]: "x" } } }),
    ),
  );
  const { body } = await h.must(200, "GET", `${CMS}/a`);
  assert.deepEqual(Object.keys(body.data).sort(), names.sort());
});

test("dry run answers as if, and stores nothing", async (t) => {
  const h = await startHarness(t);
  const { body } = await h.must(201, "POST", `${CMS}?dryRun=All`, { body: { metadata: { name: "a" } } });
  assert.equal(body.metadata.resourceVersion, undefined);
  await h.must(404, "GET", `${CMS}/a`);
  await h.must(201, "POST", CMS, { body: { metadata: { name: "a" } } });
  await h.must(200, "DELETE", `${CMS}/a?dryRun=All`);
  await h.must(200, "GET", `${CMS}/a`);
});

test("a bound pod stays until the kubelet deletes it with grace 0, an unbound one goes at once", async (t) => {
  const h = await startHarness(t);
  await makeDefaultAccount(h);
  await h.must(201, "POST", PODS, { body: pod("free") });
  assert.equal((await h.must(200, "DELETE", `${PODS}/free`)).body.kind, "Status");
  await h.must(404, "GET", `${PODS}/free`);

  await h.must(201, "POST", PODS, { body: pod("bound") });
  await h.must(201, "POST", `${PODS}/bound/binding`, { body: { target: { kind: "Node", name: "n" } } });
  assert.deepEqual(reasonOf(await h.ask("POST", `${PODS}/bound/binding`, { body: { target: { name: "m" } } })), [
    409,
    "Conflict",
  ]);
  const marked = (await h.must(200, "DELETE", `${PODS}/bound`)).body;
  assert.equal(marked.metadata.deletionGracePeriodSeconds, 30);
  assert.ok(marked.metadata.deletionTimestamp);
  const shorter = await h.must(200, "DELETE", `${PODS}/bound?gracePeriodSeconds=5`);
  assert.equal(shorter.body.metadata.deletionGracePeriodSeconds, 5);
  const wrong = await h.ask("DELETE", `${PODS}/bound`, { body: { preconditions: { uid: "other" } } });
  assert.deepEqual(reasonOf(wrong), [409, "Conflict"]);
  await h.must(200, "DELETE", `${PODS}/bound`, { body: { gracePeriodSeconds: 0 } });
  await h.must(404, "GET", `${PODS}/bound`);
});

test("finalizers hold an object until the last one is taken off", async (t) => {
  const h = await startHarness(t);
  await h.must(201, "POST", CMS, { body: { metadata: { name: "a", finalizers: ["x.y/z"] } } });
  const marked = await h.must(200, "DELETE", `${CMS}/a`);
  assert.ok(marked.body.metadata.deletionTimestamp);
  await h.must(200, "PATCH", `${CMS}/a`, {
    type: "application/merge-patch+json",
    body: { metadata: { finalizers: null } },
  });
  await h.must(404, "GET", `${CMS}/a`);
});

test("Foreground marks an owner that has dependents, and deletes one that has none", async (t) => {
  const h = await startHarness(t);
  const { body } = await h.must(201, "POST", DEPLOYMENTS, { body: deployment("d") });
  const owner = { apiVersion: "apps/v1", kind: "Deployment", name: "d", uid: body.metadata.uid };
  await h.must(201, "POST", CMS, { body: { metadata: { name: "a", ownerReferences: [owner] } } });
  const foreground = { body: { propagationPolicy: "Foreground" } };
  const marked = await h.must(200, "DELETE", `${DEPLOYMENTS}/d`, foreground);
  assert.deepEqual(marked.body.metadata.finalizers, ["foregroundDeletion"]);
  assert.equal((await h.must(200, "DELETE", `${CMS}/a`, foreground)).body.status, "Success");
});

test("a namespace terminates, refuses new content, and goes when finalized", async (t) => {
  const h = await startHarness(t);
  await h.must(201, "POST", "/api/v1/namespaces", { body: { metadata: { name: "n" } } });
  const marked = (await h.must(200, "DELETE", "/api/v1/namespaces/n")).body;
  assert.equal(marked.status.phase, "Terminating");
  const refused = await h.ask("POST", "/api/v1/namespaces/n/configmaps", { body: { metadata: { name: "a" } } });
  assert.deepEqual(reasonOf(refused), [403, "Forbidden"]);
  assert.equal(refused.body.details.causes[0].reason, "NamespaceTerminating");
  await h.must(200, "PUT", "/api/v1/namespaces/n/finalize", { body: { ...marked, spec: { finalizers: [] } } });
  await h.must(404, "GET", "/api/v1/namespaces/n");
  await h.must(403, "DELETE", "/api/v1/namespaces/default");
});

test("deletecollection deletes what the selector means", async (t) => {
  const h = await startHarness(t);
  for (const [name, app] of [
    ["a", "x"],
    ["b", "y"],
    ["c", "x"],
  ]) {
    await h.must(201, "POST", CMS, { body: { metadata: { name, labels: { app } } } });
  }
  await h.must(200, "DELETE", `${CMS}?labelSelector=app%3Dx`);
  const { body } = await h.must(200, "GET", CMS);
  assert.deepEqual(
    body.items.map((o: { metadata: { name: string } }) => o.metadata.name),
    ["b"],
  );
});

test("server-side apply makes, changes, and takes away what is no longer named", async (t) => {
  const h = await startHarness(t);
  const apply = (manager: string, data: object, more = "") =>
    h.ask("PATCH", `${CMS}/a?fieldManager=${manager}${more}`, {
      type: "application/apply-patch+yaml",
      body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" }, data },
    });
  assert.equal((await apply("one", { k: "1", l: "1" })).code, 201);
  const second = await apply("one", { k: "2" });
  assert.deepEqual([second.code, second.body.data], [200, { k: "2" }]);
  const conflict = await apply("two", { k: "3" });
  assert.deepEqual(reasonOf(conflict), [409, "Conflict"]);
  assert.deepEqual(conflict.body.details.causes, [
    { reason: "FieldManagerConflict", message: 'conflict with "one"', field: ".data.k" },
  ]);
  assert.equal((await apply("two", { k: "3" }, "&force=true")).body.data.k, "3");
  const again = await apply("two", { k: "3" });
  const before = again.body.metadata.resourceVersion;
  assert.equal((await apply("two", { k: "3" })).body.metadata.resourceVersion, before);
});

test("strategic merge patch is for built-in kinds only", async (t) => {
  const h = await startHarness(t);
  await h.must(201, "POST", VS, { body: virtualService("a") });
  const type = "application/strategic-merge-patch+json";
  assert.equal((await h.ask("PATCH", `${VS}/a`, { type, body: { spec: { hosts: ["b"] } } })).code, 415);
  await h.must(201, "POST", DEPLOYMENTS, { body: deployment("d") });
  const containers = [{ name: "c", env: [{ name: "A", value: "1" }] }];
  const { body } = await h.must(200, "PATCH", `${DEPLOYMENTS}/d`, {
    type,
    body: { spec: { template: { spec: { containers } } } },
  });
  assert.equal(body.spec.template.spec.containers[0].image, "i");
  assert.deepEqual(body.spec.template.spec.containers[0].env, [{ name: "A", value: "1" }]);
});

test("discovery, aggregated and one by one, and OpenAPI with a lasting ETag", async (t) => {
  const h = await startHarness(t);
  const aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
  const groups = await h.must(200, "GET", "/apis", { accept: aggregated });
  assert.equal(groups.headers["content-type"], "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
  const istio = groups.body.items.find(
    (g: { metadata: { name: string } }) => g.metadata.name === "networking.istio.io",
  );
  assert.deepEqual(
    istio.versions.map((v: { version: string }) => v.version),
    ["v1", "v1beta1", "v1alpha3"],
  );
  assert.equal((await h.must(200, "GET", "/apis")).body.kind, "APIGroupList");
  const apps = (await h.must(200, "GET", "/apis/apps/v1")).body.resources;
  assert.equal(apps.find((r: { name: string }) => r.name === "deployments/scale").kind, "Scale");
  const index = (await h.must(200, "GET", "/openapi/v3")).body.paths["apis/apps/v1"].serverRelativeURL;
  const document = await h.must(200, "GET", index);
  assert.match(document.headers["cache-control"] ?? "", /public/);
  assert.ok(document.headers.etag && document.headers.expires);
});

test("metrics count what was asked", async (t) => {
  const h = await startHarness(t);
  await h.must(404, "GET", `${CMS}/x`);
  const { text } = await h.must(200, "GET", "/metrics");
  assert.match(text, /apiserver_request_total\{code="404",resource="configmaps",verb="GET"\} 1/);
  assert.match(text, /apiserver_storage_objects\{resource="namespaces"\} 4/);
});
