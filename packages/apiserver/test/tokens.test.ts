import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { test } from "node:test";
import { makeDefaultAccount, startHarness } from "./harness.ts";

const ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default";
const PODS = "/api/v1/namespaces/default/pods";
const REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews";
const ISSUER = "https://kubernetes.default.svc.cluster.local";

test("a token from TokenRequest authenticates, and dies with its service account", async (t) => {
  const h = await startHarness(t);
  await makeDefaultAccount(h);
  const { body } = await h.must(201, "POST", `${ACCOUNT}/token`, { body: { spec: { expirationSeconds: 600 } } });
  const { token } = body.status;
  assert.deepEqual(body.spec.audiences, [ISSUER]);
  const review = await h.must(201, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", { token, body: {} });
  assert.equal(review.body.status.userInfo.username, "system:serviceaccount:default:default");
  await h.must(401, "GET", "/api", { token: `${token.slice(0, -4)}AAAA` });
  await h.must(200, "DELETE", ACCOUNT);
  await h.must(401, "GET", "/api", { token });
});

test("TokenReview answers for the audience asked, and for a bound pod only while it lives", async (t) => {
  const h = await startHarness(t);
  await makeDefaultAccount(h);
  const pod = (
    await h.must(201, "POST", PODS, {
      body: { metadata: { name: "p" }, spec: { containers: [{ name: "c", image: "i" }] } },
    })
  ).body;
  const boundObjectRef = { kind: "Pod", apiVersion: "v1", name: "p", uid: pod.metadata.uid };
  const made = await h.must(201, "POST", `${ACCOUNT}/token`, {
    body: { spec: { audiences: ["istio-ca"], expirationSeconds: 3600, boundObjectRef } },
  });
  const { token } = made.body.status;
  const review = async (audiences?: readonly string[]) =>
    (await h.must(201, "POST", REVIEWS, { body: { spec: { token, audiences } } })).body.status;
  const good = await review(["istio-ca", "other"]);
  assert.equal(good.authenticated, true);
  assert.deepEqual(good.audiences, ["istio-ca"]);
  assert.deepEqual(good.user.extra["authentication.kubernetes.io/pod-name"], ["p"]);
  assert.deepEqual(good.user.groups, [
    "system:serviceaccounts",
    "system:serviceaccounts:default",
    "system:authenticated",
  ]);
  assert.notEqual((await review(["other"])).authenticated, true);
  assert.notEqual((await review()).authenticated, true);
  await h.must(401, "GET", "/api", { token });
  await h.must(200, "DELETE", `${PODS}/p`);
  assert.notEqual((await review(["istio-ca"])).authenticated, true);
});

test("the published key verifies the signature", async (t) => {
  const h = await startHarness(t);
  await makeDefaultAccount(h);
  const { token } = (await h.must(201, "POST", `${ACCOUNT}/token`, { body: { spec: {} } })).body.status;
  const jwks = JSON.parse((await h.must(200, "GET", "/openid/v1/jwks")).text);
  const [header, payload, signature] = token.split(".");
  const key = createPublicKey({ key: jwks.keys[0], format: "jwk" });
  const isGood = verify(
    "sha256",
    Buffer.from(`${header}.${payload}`),
    { key, dsaEncoding: "ieee-p1363" },
    Buffer.from(signature, "base64url"),
  );
  assert.ok(isGood);
  assert.equal(JSON.parse(Buffer.from(header, "base64url").toString()).kid, jwks.keys[0].kid);
  assert.equal((await h.must(200, "GET", "/.well-known/openid-configuration")).body.issuer, ISSUER);
});

test("requests for less than ten minutes or for another's pod are refused", async (t) => {
  const h = await startHarness(t);
  await makeDefaultAccount(h);
  const short = await h.must(422, "POST", `${ACCOUNT}/token`, { body: { spec: { expirationSeconds: 60 } } });
  assert.match(short.body.message, /less than 10 minutes/);
  const boundObjectRef = { kind: "Pod", name: "gone" };
  await h.must(404, "POST", `${ACCOUNT}/token`, { body: { spec: { boundObjectRef } } });
});
