import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { tempDir } from "@argyle/testkit";
import { inClusterConfig } from "./in-cluster.ts";
import { loadKubeconfig } from "./kubeconfig.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const text = `
apiVersion: v1
kind: Config
current-context: argyle
contexts:
- name: argyle
  context: { cluster: c, user: admin }
- name: other
  context: { cluster: c, user: reader }
- name: broken
  context: { cluster: nowhere, user: admin }
clusters:
- name: c
  cluster: { server: "https://127.0.0.1:6443", certificate-authority-data: ${base64("CA")} }
users:
- name: admin
  user: { client-certificate-data: ${base64("CERT")}, client-key: key.pem }
- name: reader
  user: { token: t0 }
`;
const readFile = (path: string) => `content of ${path}`;

test("reads the current context, inline data and files beside the kubeconfig", () => {
  assert.deepEqual(loadKubeconfig(text, { directory: "/home/u", readFile }), {
    ok: true,
    value: { server: "https://127.0.0.1:6443", ca: "CA", cert: "CERT", key: "content of /home/u/key.pem" },
  });
});

test("reads the context that is asked for", () => {
  assert.deepEqual(loadKubeconfig(text, { context: "other" }), {
    ok: true,
    value: { server: "https://127.0.0.1:6443", ca: "CA", token: "t0" },
  });
});

const broken = [
  { name: "an unknown context", text, context: "x", paths: ["contexts"] },
  { name: "a context with an unknown cluster", text, context: "broken", paths: ["clusters"] },
  { name: "text that is not YAML", text: "a: [", context: "argyle", paths: [""] },
  { name: "an empty text", text: "", context: "argyle", paths: ["contexts"] },
];
for (const c of broken) {
  test(`says what is wrong with ${c.name}`, () => {
    const result = loadKubeconfig(c.text, { context: c.context, readFile });
    assert.ok(!result.ok);
    assert.deepEqual(
      result.error.map((problem) => problem.path),
      c.paths,
    );
  });
}

test("a pod's connection names the token file, so that rotation is followed", (t) => {
  const dir = tempDir(t);
  writeFileSync(join(dir, "ca.crt"), "CA");
  assert.deepEqual(
    inClusterConfig({ host: "10.96.0.1", port: "443", tokenPath: join(dir, "token"), caPath: join(dir, "ca.crt") }),
    { server: "https://10.96.0.1:443", ca: "CA", tokenFile: join(dir, "token") },
  );
  assert.throws(() => inClusterConfig({ host: "10.96.0.1", port: 443, caPath: join(dir, "none") }), {
    code: "kube.in-cluster.no-ca",
  });
});
