import assert from "node:assert/strict";
import { test } from "node:test";
import { MeshError } from "@argyle/core";
import { endToEndHeaders, parseAbsoluteForm, parseAuthority, parseCredentials, refusalOf } from "./http-message.ts";

const targets = [
  { text: "http://web/a?b=http://c/", want: { host: "web", port: 80, path: "/a?b=http://c/" } },
  { text: "HTTP://web.a.svc:8080", want: { host: "web.a.svc", port: 8080, path: "/" } },
  { text: "http://10.96.0.9:1?x", want: { host: "10.96.0.9", port: 1, path: "/?x" } },
  { text: "http://[::1]:9/", want: { host: "::1", port: 9, path: "/" } },
  { text: "/a", want: undefined },
  { text: "*", want: undefined },
  { text: "https://web/", want: undefined },
  { text: "http://user:pw@web/", want: undefined },
  { text: "http://web:0/", want: undefined },
  { text: "http://web:70000/", want: undefined },
  { text: "http:///x", want: undefined },
  { text: "http://web/#x", want: undefined },
];
for (const { text, want } of targets) {
  test(`request-target ${text} is ${want === undefined ? "refused" : `${want.host}:${want.port}`}`, () => {
    const parsed = parseAbsoluteForm(text);
    assert.deepEqual(parsed.ok ? parsed.value : undefined, want);
  });
}

test("CONNECT needs a port", () => {
  assert.equal(parseAuthority("web").ok, false);
  assert.deepEqual(parseAuthority("web:5432"), { ok: true, value: { host: "web", port: 5432 } });
});

const encode = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;
const credentials = [
  { field: encode("10.244.0.7:abc"), want: { user: "10.244.0.7", password: "abc" } },
  { field: encode("10.244.0.7"), want: undefined },
  { field: encode("a:b:c"), want: undefined },
  { field: "Bearer abc", want: undefined },
  { field: "Basic !!", want: undefined },
  { field: undefined, want: undefined },
];
for (const { field, want } of credentials) {
  test(`Proxy-Authorization ${field} is ${want === undefined ? "nobody" : want.user}`, () =>
    assert.deepEqual(parseCredentials(field), want));
}

test("drops hop-by-hop fields and those that Connection names; order, case and repetitions stay", () => {
  const raw =
    "X-One 1 Proxy-Authorization p Connection x-gone,close X-Gone 1 Proxy-Connection k Cookie a cookie b TE trailers";
  assert.deepEqual(endToEndHeaders(raw.split(" ")), ["X-One", "1", "Cookie", "a", "cookie", "b"]);
});

const errno = (code: string) =>
  new MeshError("x", { code: "pod-network.dial.x", cause: Object.assign(new Error(code), { code }) });
const failures = [
  { thrown: errno("ENOTFOUND"), status: 502, error: "dns_error" },
  { thrown: errno("ECONNREFUSED"), status: 502, error: "connection_refused" },
  { thrown: errno("ETIMEDOUT"), status: 504, error: "connection_timeout" },
  { thrown: errno("EHOSTUNREACH"), status: 502, error: "destination_ip_unroutable" },
  { thrown: new MeshError("n", { code: "kube-proxy.no-sidecar" }), status: 503, error: "destination_unavailable" },
  { thrown: new MeshError("n", { code: "kube-proxy.no-endpoint" }), status: 503, error: "destination_unavailable" },
  { thrown: new MeshError("n", { code: "kube-proxy.refused" }), status: 502, error: "destination_not_found" },
  { thrown: Object.assign(new Error("hang up"), { code: "ECONNRESET" }), status: 502, error: "connection_terminated" },
  { thrown: new Error("?"), status: 502, error: "proxy_internal_error" },
];
for (const { thrown, status, error } of failures) {
  test(`${error} is ${status}`, () => {
    const refusal = refusalOf(thrown, { host: "web", port: 80 });
    assert.deepEqual([refusal.status, refusal.error], [status, error]);
  });
}
