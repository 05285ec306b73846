import assert from "node:assert/strict";
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { MeshError } from "@argyle/core";
import type { ConfigMap, Container, Pod, Volume } from "@argyle/kube-types";
import { tempDir } from "@argyle/testkit";
import { podPaths } from "./pod-paths.ts";
import { writeVolume } from "./volume-dir.ts";
import { createPodVolumes } from "./volumes.ts";

const NODE = { nodeName: "n", hostIP: "127.0.0.1", cpus: 2, memoryBytes: 1 };

function podWith(volumes: readonly Volume[], container: Partial<Container> = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "ns", uid: "uid-1", labels: { app: "web" } },
    spec: { volumes, containers: [{ name: "a", ...container }] },
  };
}

function setUp(dir: string, pod: Pod, data: Readonly<Record<string, string>> = { k: "v", l: "w" }) {
  const configMap = (name: string): ConfigMap | undefined =>
    name === "cm" ? { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data } : undefined;
  const secret = (name: string) =>
    name === "s" ? { apiVersion: "v1", kind: "Secret", metadata: { name }, data: { p: "c2VjcmV0" } } : undefined;
  const tokens = {
    refresh: async () => ({ tokens: new Map([["istio-ca/43200", "jwt"]]), renewAt: 5 }),
  };
  const paths = podPaths(dir, "uid-1");
  const volumes = createPodVolumes(pod, paths, dir, tokens);
  return { paths, volumes, inputs: { pod, podIP: "10.244.0.9", node: NODE, configMap, secret } };
}

const contents: readonly { readonly name: string; readonly volume: Volume; readonly files: Record<string, string> }[] =
  [
    { name: "a ConfigMap", volume: { name: "v", configMap: { name: "cm" } }, files: { k: "v", l: "w" } },
    {
      name: "chosen keys at their paths",
      volume: { name: "v", configMap: { name: "cm", items: [{ key: "k", path: "etc/x.conf" }] } },
      files: { "etc/x.conf": "v" },
    },
    { name: "a Secret", volume: { name: "v", secret: { secretName: "s" } }, files: { p: "secret" } },
    {
      name: "the downward API",
      volume: { name: "v", downwardAPI: { items: [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }] } },
      files: { labels: 'app="web"' },
    },
    {
      name: "a projection of token, ConfigMap and namespace",
      volume: {
        name: "v",
        projected: {
          sources: [
            { serviceAccountToken: { audience: "istio-ca", expirationSeconds: 43_200, path: "istio-token" } },
            { configMap: { name: "cm" } },
            { downwardAPI: { items: [{ path: "namespace", fieldRef: { fieldPath: "metadata.namespace" } }] } },
          ],
        },
      },
      files: { "istio-token": "jwt", k: "v", namespace: "ns" },
    },
    {
      name: "an optional ConfigMap that is missing",
      volume: { name: "v", configMap: { name: "x", optional: true } },
      files: {},
    },
  ];
for (const c of contents) {
  test(`builds ${c.name}`, async (t) => {
    const { paths, volumes, inputs } = setUp(tempDir(t), podWith([c.volume]));
    assert.equal((await volumes.sync(inputs)).renewAt, 5);
    for (const [path, text] of Object.entries(c.files)) {
      assert.equal(readFileSync(join(paths.volume("v"), path), "utf8"), text);
    }
  });
}

test("refuses what it cannot build and names each volume", async (t) => {
  const pod = podWith([
    { name: "a", configMap: { name: "gone" } },
    { name: "b", secret: { secretName: "gone" } },
  ]);
  const { volumes, inputs } = setUp(tempDir(t), pod);
  await assert.rejects(volumes.sync(inputs), (error) => {
    assert.ok(error instanceof MeshError);
    assert.match(error.message, /a: configmap "gone" not found; b: secret "gone" not found/);
    return true;
  });
});

test("swaps content in one step, keeps names, drops what is gone, and does nothing when it is the same", (t) => {
  const dir = join(tempDir(t), "v");
  const file = (path: string, text: string) => ({ path, content: Buffer.from(text), mode: 0o644 });
  assert.equal(writeVolume(dir, [file("a", "1"), file("b", "1")]), true);
  const first = readlinkSync(join(dir, "..data"));
  assert.equal(writeVolume(dir, [file("a", "1"), file("b", "1")]), false);
  assert.equal(writeVolume(dir, [file("a", "2")]), true);
  assert.notEqual(readlinkSync(join(dir, "..data")), first);
  assert.equal(readFileSync(join(dir, "a"), "utf8"), "2");
  assert.ok(lstatSync(join(dir, "a")).isSymbolicLink());
  assert.deepEqual(
    readdirSync(dir).filter((name) => !name.startsWith("..")),
    ["a"],
  );
});

test("keeps the file mode of a Secret", async (t) => {
  const pod = podWith([{ name: "v", secret: { secretName: "s", defaultMode: 0o400 } }]);
  const { paths, volumes, inputs } = setUp(tempDir(t), pod);
  await volumes.sync(inputs);
  assert.equal(statSync(join(paths.volume("v"), "p")).mode & 0o777, 0o400);
});

test("gives each mount its place in the rootfs, with subPath and hostPath", async (t) => {
  const dir = tempDir(t);
  mkdirSync(join(dir, "host"));
  writeFileSync(join(dir, "host/f"), "h");
  const pod = podWith(
    [
      { name: "e", emptyDir: {} },
      { name: "h", hostPath: { path: join(dir, "host") } },
    ],
    {
      volumeMounts: [
        { name: "e", mountPath: "/data" },
        { name: "e", mountPath: "/logs", subPathExpr: "$(POD)/l" },
        { name: "h", mountPath: "/host", readOnly: true },
      ],
    },
  );
  const { paths, volumes, inputs } = setUp(dir, pod);
  await volumes.sync(inputs);
  const container = pod.spec.containers[0] ?? { name: "" };
  const root = volumes.rootfs(container, { POD: "p" });
  assert.equal(root, paths.rootfs);
  assert.equal(readFileSync(join(root, "host/f"), "utf8"), "h");
  writeFileSync(join(root, "logs/x"), "1");
  assert.equal(readFileSync(join(paths.volume("e"), "p/l/x"), "utf8"), "1");
  assert.equal(volumes.mounts(container, {}).find((m) => m.mountPath === "/host")?.readOnly, true);
});
