/** jwt_authn on real sockets, with keys made here: who is let in, what goes on to the upstream, and what is said to the others. */
import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { test } from "node:test";
import { eventually } from "@argyle/testkit";
import {
  bodyOf,
  exchange,
  httpListener,
  replying,
  startProxy,
  startUpstream,
  staticCluster,
  type TestScope,
} from "./harness.ts";

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ed = generateKeyPairSync("ed25519");
const other = generateKeyPairSync("rsa", { modulusLength: 2048 });
const SECRET = "a secret of two";
const jwk = (key: KeyObject, extra: object) => ({ ...key.export({ format: "jwk" }), ...extra });
const JWKS = JSON.stringify({
  keys: [
    jwk(rsa.publicKey, { kid: "r" }),
    jwk(ec.publicKey, { kid: "e", alg: "ES256" }),
    jwk(ed.publicKey, { kid: "d" }),
    { kty: "oct", kid: "h", k: Buffer.from(SECRET).toString("base64url") },
    { kty: "who knows" },
  ],
});

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const NOW = Math.floor(Date.now() / 1000);
const CLAIMS = { iss: "me", sub: "jo", exp: NOW + 600, scope: "read write", nested: { key: "v" } };

function token(header: object, payload: object, by: (data: string) => Buffer): string {
  const data = `${encode(header)}.${encode(payload)}`;
  return `${data}.${by(data).toString("base64url")}`;
}
const byRsa = (data: string) => sign("sha256", Buffer.from(data), rsa.privateKey);
const rs = (payload: object = CLAIMS, header: object = { alg: "RS256", kid: "r" }) => token(header, payload, byRsa);

async function start(t: TestScope, provider: object = {}, requires: object = { provider_name: "p" }) {
  const upstream = await startUpstream(t, replying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
  const filter = {
    name: "envoy.filters.http.jwt_authn",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
      providers: {
        p: { issuer: "me", local_jwks: { inline_string: JWKS }, payload_in_metadata: "payload", ...provider },
      },
      rules: [{ match: { prefix: "/" }, requires }],
    },
  };
  const route = (match: object, prefix: string) => ({ match, route: { cluster: "a", prefix_rewrite: prefix } });
  const claim = {
    filter: "envoy.filters.http.jwt_authn",
    path: [{ key: "payload" }, { key: "sub" }],
    value: { string_match: { exact: "jo" } },
  };
  const routes = [route({ prefix: "/", dynamic_metadata: [claim] }, "/jo/"), route({ prefix: "/" }, "/any/")];
  const h = await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port])],
    listeners: [httpListener(routes, {}, [filter])],
  });
  const get = (headers: string, path = "/") =>
    exchange(h.port(), `GET ${path} HTTP/1.1\r\nHost: s\r\n${headers}\r\n`, (text) => text.includes("\r\n\r\n"));
  return { h, get, upstream };
}
const bearer = (text: string) => `authorization: Bearer ${text}\r\n`;

const good: readonly (readonly [string, string])[] = [
  ["RS256", rs()],
  ["RS256 without a key id", rs(CLAIMS, { alg: "RS256" })],
  [
    "ES256",
    token({ alg: "ES256", kid: "e" }, CLAIMS, (data) =>
      sign("sha256", Buffer.from(data), { key: ec.privateKey, dsaEncoding: "ieee-p1363" }),
    ),
  ],
  ["EdDSA", token({ alg: "EdDSA", kid: "d" }, CLAIMS, (data) => sign(null, Buffer.from(data), ed.privateKey))],
  ["HS256", token({ alg: "HS256", kid: "h" }, CLAIMS, (data) => createHmac("sha256", SECRET).update(data).digest())],
];
for (const [name, text] of good) {
  test(`a token signed with ${name} is good`, async (t) => {
    const { get, upstream } = await start(t);
    assert.match(await get(bearer(text)), /^HTTP\/1\.1 200/);
    assert.doesNotMatch(upstream.received[0] ?? "", /authorization/i, "the token was for the proxy alone");
  });
}

const publicPem = rsa.publicKey.export({ type: "spki", format: "pem" });
const bad: readonly (readonly [name: string, text: string | undefined, status: number, body: string])[] = [
  ["none", undefined, 401, "Jwt is missing"],
  ["what is no token", "a.b", 401, "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections"],
  ["an expired one", rs({ ...CLAIMS, exp: NOW - 61 }), 401, "Jwt is expired"],
  ["one of the future", rs({ ...CLAIMS, nbf: NOW + 600 }), 401, "Jwt not yet valid"],
  ["one of another issuer", rs({ ...CLAIMS, iss: "you" }), 401, "Jwt issuer is not configured"],
  [
    "one by another key",
    token({ alg: "RS256", kid: "r" }, CLAIMS, (data) => sign("sha256", Buffer.from(data), other.privateKey)),
    401,
    "Jwt verification fails",
  ],
  [
    "one with another payload",
    rs().replace(/\.[^.]+\./, `.${encode({ ...CLAIMS, sub: "eve" })}.`),
    401,
    "Jwt verification fails",
  ],
  ["an unknown key", rs(CLAIMS, { alg: "RS256", kid: "x" }), 401, "Jwks doesn't have key to match kid or alg from Jwt"],
  ["alg none", `${encode({ alg: "none" })}.${encode(CLAIMS)}.`, 401, "Jwt header [alg] is not supported"],
  [
    "a public key used as an HMAC secret",
    token({ alg: "HS256", kid: "r" }, CLAIMS, (data) => createHmac("sha256", publicPem).update(data).digest()),
    401,
    "Jwks doesn't have key to match kid or alg from Jwt",
  ],
  ["one for others", rs({ ...CLAIMS, aud: "them" }), 403, "Audiences in Jwt are not allowed"],
];
for (const [name, text, status, body] of bad) {
  test(`a request with ${name} is refused`, async (t) => {
    const { h, get, upstream } = await start(t, body.startsWith("Aud") ? { audiences: ["us"] } : {});
    const answer = await get(text === undefined ? "" : bearer(text), "/x?y=1");
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `));
    assert.equal(bodyOf(answer), body);
    const error = text === undefined ? "" : ', error="invalid_token"';
    assert.ok(answer.includes(`www-authenticate: Bearer realm="http://s/x"${error}\r\n`), answer);
    assert.deepEqual(upstream.received, []);
    await eventually("log", () =>
      assert.ok(h.logs[0]?.includes(`jwt_authn_access_denied{${body.replaceAll(" ", "_")}}`)),
    );
    assert.match(h.proxy.deps.registry.expose(), /envoy_http_jwt_authn_denied\{[^}]*\} 1\n/);
  });
}

test("claims and payload become headers that nobody else can set", async (t) => {
  const { get, upstream } = await start(t, {
    forward: true,
    forward_payload_header: "x-payload",
    claim_to_headers: [
      { header_name: "x-sub", claim_name: "sub" },
      { header_name: "x-nested", claim_name: "nested.key" },
      { header_name: "x-none", claim_name: "none" },
    ],
  });
  await get(`${bearer(rs())}x-sub: eve\r\nx-none: eve\r\nx-payload: eve\r\n`);
  const sent = upstream.received[0] ?? "";
  assert.match(sent, /x-sub: jo\r\n/);
  assert.match(sent, /x-nested: v\r\n/);
  assert.ok(sent.includes(`x-payload: ${encode(CLAIMS)}\r\n`));
  assert.match(sent, /authorization: Bearer /i);
  assert.doesNotMatch(sent, /eve/);
});

test("a token is found where the provider says", async (t) => {
  const { get } = await start(t, {
    from_headers: [{ name: "x-jwt", value_prefix: "Value " }],
    from_params: ["tok"],
    from_cookies: ["c"],
  });
  assert.match(await get(`x-jwt: Value ${rs()}\r\n`), /^HTTP\/1\.1 200/);
  assert.match(await get("", `/?tok=${rs()}`), /^HTTP\/1\.1 200/);
  assert.match(await get(`cookie: a=1; c=${rs()}\r\n`), /^HTTP\/1\.1 200/);
  assert.match(await get(bearer(rs())), /^HTTP\/1\.1 401/);
});

test("a missing token may be allowed, a bad one is not", async (t) => {
  const { get } = await start(
    t,
    {},
    { requires_any: { requirements: [{ provider_name: "p" }, { allow_missing: {} }] } },
  );
  assert.match(await get(""), /^HTTP\/1\.1 200/);
  assert.match(await get(bearer(rs())), /^HTTP\/1\.1 200/);
  assert.match(await get(bearer(rs({ ...CLAIMS, exp: 1 }))), /^HTTP\/1\.1 401/);
  assert.match(await get(bearer(rs({ ...CLAIMS, iss: "you" }))), /^HTTP\/1\.1 401/);
});

test("routes may be chosen by claims, once the token is known", async (t) => {
  const { get, upstream } = await start(
    t,
    { clear_route_cache: true },
    { requires_any: { requirements: [{ provider_name: "p" }, { allow_missing: {} }] } },
  );
  await get(bearer(rs()));
  await get("");
  const paths = upstream.received.join("").match(/GET \S+/g);
  assert.deepEqual(paths, ["GET /jo/", "GET /any/"]);
});
