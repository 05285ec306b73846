import assert from "node:assert/strict";
import { test } from "node:test";
import { startHarness } from "./harness.ts";

const NAMESPACES = "/api/v1/namespaces";

function namespaceNamed(name: string): string {
  return JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
}

test("answers a client in the process as it answers one over TLS, known by its certificate", async (t) => {
  const harness = await startHarness(t);
  const loopback = harness.server.loopback(harness.server.pki.kubelet, "argyle-kubelet");

  const made = await loopback.send({ method: "POST", path: NAMESPACES, body: namespaceNamed("one") });
  assert.equal(made.statusCode, 201);
  assert.equal(made.contentType, "application/json");
  const object = JSON.parse(await made.text());
  assert.equal(object.metadata.managedFields[0].manager, "argyle-kubelet");

  const read = await loopback.send({ method: "GET", path: `${NAMESPACES}/one` });
  assert.equal(await read.text(), (await harness.must(200, "GET", `${NAMESPACES}/one`)).text);

  const again = await loopback.send({ method: "POST", path: NAMESPACES, body: namespaceNamed("one") });
  assert.equal(again.statusCode, 409);
  assert.equal(JSON.parse(await again.text()).reason, "AlreadyExists");

  const review = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
  const self = await loopback.send({
    method: "POST",
    path: "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    body: JSON.stringify(review),
  });
  const { username, groups } = JSON.parse(await self.text()).status.userInfo;
  assert.deepEqual(
    { username, groups },
    { username: "system:node:argyle", groups: ["system:nodes", "system:authenticated"] },
  );
});

test("a watch tells line by line what others change, until it is given up", async (t) => {
  const harness = await startHarness(t);
  const loopback = harness.server.loopback(harness.server.pki.controllers, "argyle-controllers");
  const abort = new AbortController();
  const watch = await loopback.send({ method: "GET", path: `${NAMESPACES}?watch=true`, signal: abort.signal });
  const seen: string[] = [];
  const read = async () => {
    for await (const line of watch.lines()) {
      const { type, object } = JSON.parse(line);
      seen.push(`${type} ${object.metadata.name}`);
      if (object.metadata.name === "two") abort.abort();
    }
  };
  const ended = assert.rejects(read(), /cut off/);
  await harness.must(201, "POST", NAMESPACES, { body: JSON.parse(namespaceNamed("one")) });
  await harness.must(201, "POST", NAMESPACES, { body: JSON.parse(namespaceNamed("two")) });
  await ended;
  assert.deepEqual(seen.slice(-2), ["ADDED one", "ADDED two"]);
});

test("a route that hands on a byte stream refuses it, and a closed server cuts its watches off", async (t) => {
  const harness = await startHarness(t);
  const loopback = harness.server.loopback(harness.server.pki.admin, "test");
  const proxied = await loopback.send({ method: "GET", path: `${NAMESPACES}/default/services/kubernetes/proxy/` });
  assert.notEqual(proxied.statusCode, 200);
  const watch = await loopback.send({ method: "GET", path: `${NAMESPACES}?watch=true` });
  const read = async () => {
    for await (const _ of watch.lines());
  };
  const ended = assert.rejects(read(), /cut off/);
  await harness.server.close();
  await ended;
});
