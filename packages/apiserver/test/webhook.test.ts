import assert from "node:assert/strict";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { systemClock } from "@argyle/core";
import { type TestScope, tempDir } from "@argyle/testkit";
import { openPki } from "../src/pki.ts";
import { dialTcp, type Harness, startHarness } from "./harness.ts";

const CMS = "/api/v1/namespaces/default/configmaps";
const CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1";

// biome-ignore lint/suspicious/noExplicitAny: the review as it came
type Review = any;

/** A webhook server whose certificate is good for `localhost`, reachable as Service hook.default.svc too (another name: TLS must fail). */
async function startWebhook(t: TestScope, answer: (request: Review) => object) {
  const pki = await openPki(tempDir(t), systemClock, "hook.default.svc");
  const seen: Review[] = [];
  const server = createServer({ cert: pki.kubelet.certPem, key: pki.kubelet.keyPem }, async (request, response) => {
    let text = "";
    for await (const chunk of request.setEncoding("utf8")) text += chunk;
    const review = JSON.parse(text);
    seen.push({ ...review.request, path: request.url });
    const body = { ...review, response: { uid: review.request.uid, ...answer(review.request) } };
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  (t.after as (fn: () => Promise<void>) => void)(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  let connections = 0;
  server.on("secureConnection", () => {
    connections += 1;
  });
  const { port } = server.address() as AddressInfo;
  const hangUp = () => server.closeAllConnections();
  return {
    seen,
    connections: () => connections,
    hangUp,
    port,
    caBundle: Buffer.from(pki.caCertPem).toString("base64"),
  };
}

type Hook = Awaited<ReturnType<typeof startWebhook>>;

function webhook(hook: Pick<Hook, "caBundle">, more: object = {}) {
  return {
    name: "hook.example.com",
    clientConfig: { service: { namespace: "default", name: "hook", path: "/inject" }, caBundle: hook.caBundle },
    rules: [{ operations: ["CREATE", "UPDATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"] }],
    sideEffects: "None",
    admissionReviewVersions: ["v1"],
    ...more,
  };
}

async function start(t: TestScope, hook: Pick<Hook, "port">): Promise<Harness> {
  return startHarness(t, {
    dialService: (host, port) => {
      if (host === "hook.default.svc") {
        assert.equal(port, 443);
        return dialTcp("127.0.0.1", hook.port);
      }
      return dialTcp(host, port);
    },
  });
}

async function register(h: Harness, kind: "mutating" | "validating", ...webhooks: readonly object[]): Promise<void> {
  await h.must(201, "POST", `${CONFIGURATIONS}/${kind}webhookconfigurations`, {
    body: { metadata: { name: `c${Math.random().toString(36).slice(2)}` }, webhooks },
  });
}

const patchOf = (operations: readonly object[]) => ({
  allowed: true,
  patchType: "JSONPatch",
  patch: Buffer.from(JSON.stringify(operations)).toString("base64"),
});

test("a mutating webhook of a Service changes the object, its warnings reach the client", async (t) => {
  const hook = await startWebhook(t, () => ({
    ...patchOf([{ op: "add", path: "/data", value: { injected: "yes" } }]),
    warnings: ["take care"],
  }));
  const h = await start(t, hook);
  await register(h, "mutating", webhook(hook));
  const { body, headers } = await h.must(201, "POST", CMS, { body: { metadata: { name: "a" } } });
  assert.deepEqual(body.data, { injected: "yes" });
  assert.equal(headers.warning, '299 - "take care"');
  const [request] = hook.seen;
  assert.equal(request.path, "/inject?timeout=10s");
  assert.deepEqual(
    [request.operation, request.name, request.namespace, request.userInfo.username, request.dryRun, request.oldObject],
    ["CREATE", "a", "default", "kubernetes-admin", false, null],
  );
  assert.deepEqual(request.resource, { group: "", version: "v1", resource: "configmaps" });
});

test("a denial is printed as kubectl expects it", async (t) => {
  const hook = await startWebhook(t, () => ({ allowed: false, status: { code: 400, message: "no such host" } }));
  const h = await start(t, hook);
  await register(h, "validating", webhook(hook));
  const { body } = await h.must(400, "POST", CMS, { body: { metadata: { name: "a" } } });
  assert.equal(body.message, 'admission webhook "hook.example.com" denied the request: no such host');
  await h.must(404, "GET", `${CMS}/a`);
});

test("a connection serves many calls, and one that its server closed is replaced", async (t) => {
  const hook = await startWebhook(t, () => ({ allowed: true }));
  const h = await start(t, hook);
  await register(h, "validating", webhook(hook));
  for (const name of ["a", "b", "c"]) await h.must(201, "POST", CMS, { body: { metadata: { name } } });
  assert.equal(hook.connections(), 1);
  hook.hangUp();
  await h.must(201, "POST", CMS, { body: { metadata: { name: "d" } } });
  assert.equal(hook.connections(), 2);
});

test("selectors, rules and exempt kinds keep requests away from a webhook", async (t) => {
  const hook = await startWebhook(t, () => ({ allowed: false }));
  const h = await start(t, hook);
  const everything = { operations: ["*"], apiGroups: ["*"], apiVersions: ["*"], resources: ["*"] };
  await register(
    h,
    "validating",
    webhook(hook, { rules: [everything], namespaceSelector: { matchLabels: { injection: "enabled" } } }),
    webhook(hook, { name: "b.example.com", objectSelector: { matchLabels: { watched: "yes" } } }),
  );
  await h.must(201, "POST", CMS, { body: { metadata: { name: "a" } } });
  await h.must(201, "POST", "/api/v1/namespaces", { body: { metadata: { name: "n", labels: { other: "x" } } } });
  assert.equal(hook.seen.length, 0);
  const denied = await h.must(400, "POST", CMS, { body: { metadata: { name: "b", labels: { watched: "yes" } } } });
  assert.match(denied.body.message, /without explanation/);
  await h.must(400, "POST", "/api/v1/namespaces", {
    body: { metadata: { name: "m", labels: { injection: "enabled" } } },
  });
  // Its own kind stays manageable.
  await register(h, "validating", webhook(hook, { rules: [everything] }));
});

test("matchPolicy Equivalent sends the version that the rule names", async (t) => {
  const hook = await startWebhook(t, () => ({ allowed: true }));
  const h = await start(t, hook);
  const rules = [
    { operations: ["*"], apiGroups: ["networking.istio.io"], apiVersions: ["v1alpha3"], resources: ["sidecars"] },
  ];
  await register(h, "validating", webhook(hook, { rules }));
  await h.must(201, "POST", "/apis/networking.istio.io/v1/namespaces/default/sidecars", {
    body: { metadata: { name: "a" }, spec: {} },
  });
  const [request] = hook.seen;
  assert.equal(request.object.apiVersion, "networking.istio.io/v1alpha3");
  assert.deepEqual([request.resource.version, request.requestResource.version], ["v1alpha3", "v1"]);
});

const failures = [
  { name: "nobody listens", more: { clientConfig: { url: "https://127.0.0.1:1/x" } } },
  { name: "the certificate is not the CA's", more: { clientConfig: { url: "URL", caBundle: "WRONG" } } },
];
for (const c of failures) {
  test(`failurePolicy decides when ${c.name}`, async (t) => {
    const hook = await startWebhook(t, () => ({ allowed: true }));
    const h = await start(t, hook);
    const own = { url: c.more.clientConfig.url.replace("URL", `https://127.0.0.1:${hook.port}/x`) };
    const clientConfig = { ...own, caBundle: Buffer.from(h.server.pki.caCertPem).toString("base64") };
    await register(h, "validating", webhook(hook, { clientConfig, failurePolicy: "Ignore" }));
    await h.must(201, "POST", CMS, { body: { metadata: { name: "a" } } });
    await register(h, "validating", webhook(hook, { clientConfig, failurePolicy: "Fail" }));
    const { body } = await h.must(500, "POST", CMS, { body: { metadata: { name: "b" } } });
    assert.match(body.message, /failed calling webhook "hook.example.com"/);
  });
}

test("a webhook that does not answer is given up after its timeout", async (t) => {
  const h = await startHarness(t, { dialService: () => new Promise(() => undefined) });
  await register(h, "validating", webhook({ caBundle: "" }, { timeoutSeconds: 1 }));
  const { body } = await h.must(500, "POST", CMS, { body: { metadata: { name: "b" } } });
  assert.match(body.message, /timed out/);
});
