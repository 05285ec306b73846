import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpMatchRequest, HttpRedirect } from "@argyle/kube-types";
import { redirectAction } from "./redirect.ts";

const cases: readonly {
  readonly name: string;
  readonly redirect: HttpRedirect;
  readonly match?: HttpMatchRequest;
  readonly port?: number;
  readonly isTls?: boolean;
  readonly want: object;
}[] = [
  {
    name: "the request's port is said when the scheme does not imply it",
    redirect: { derivePort: "FROM_REQUEST_PORT" },
    port: 85,
    want: { port_redirect: 85 },
  },
  {
    name: "the request's port is not said when the scheme implies it",
    redirect: { derivePort: "FROM_REQUEST_PORT" },
    port: 80,
    want: {},
  },
  {
    name: "the scheme of the redirect counts",
    redirect: { derivePort: "FROM_REQUEST_PORT", scheme: "https" },
    port: 80,
    want: { scheme_redirect: "https", port_redirect: 80 },
  },
  {
    name: "a listener with TLS is https",
    redirect: { derivePort: "FROM_REQUEST_PORT" },
    port: 443,
    isTls: true,
    want: {},
  },
  {
    name: "the protocol's default port is Envoy's own",
    redirect: { derivePort: "FROM_PROTOCOL_DEFAULT", scheme: "https" },
    want: { scheme_redirect: "https" },
  },
  { name: "a port that is named", redirect: { port: 8443 }, want: { port_redirect: 8443 } },
  {
    name: "a prefix is replaced",
    redirect: { prefixRewrite: "/new/" },
    match: { uri: { prefix: "/foo/" } },
    want: { prefix_rewrite: "/new/" },
  },
  {
    name: "a path is replaced",
    redirect: { uri: "/new", authority: "b", redirectCode: 302 },
    want: { path_redirect: "/new", host_redirect: "b", response_code: "FOUND" },
  },
];
for (const c of cases) {
  test(c.name, () => {
    const got = redirectAction(c.redirect, c.match, { port: c.port ?? 80, isTls: c.isTls === true });
    assert.deepEqual(JSON.parse(JSON.stringify(got)), c.want);
  });
}
