import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { httpProxyEnvironment, writeHttpProxyAddress } from "@argyle/pod-network";
import { eventually } from "@argyle/testkit";
import { type Harness, startHarness } from "./harness.ts";

const print = "echo proxy=$http_proxy $HTTPS_PROXY no=[$no_proxy]";
const logOf = (h: Harness, container: string) =>
  readFileSync(join(h.stateDir, "pods", h.pod()?.metadata.uid ?? "", container, "0.log"), "utf8");

test("a program that is not Node waits for the forward proxy and gets its pod's URL; a Node program gets none; one Event tells", async (t) => {
  const h = await startHarness(t);
  rmSync(join(h.runDir, "http-proxy.json"));
  await h.start();
  const node = "console.log('proxy=' + process.env.http_proxy)";
  h.apply({
    restartPolicy: "Never",
    containers: [
      { name: "node", image: "host", command: ["node", "-e", node] },
      { name: "sh", image: "host", command: ["/bin/sh", "-c", print] },
      { name: "own", image: "host", command: ["/bin/sh", "-c", print], env: [{ name: "http_proxy", value: "mine" }] },
    ],
  });
  await eventually("the node program has run", () => assert.match(logOf(h, "node"), /proxy=undefined$/m));
  const waiting = h.pod()?.status?.containerStatuses?.find((c) => c.name === "sh");
  assert.equal(waiting?.containerID ?? "", "");
  const address = { port: 4711, key: "secret" };
  writeHttpProxyAddress(h.runDir, address);
  await eventually("all have run", () => assert.equal(h.pod()?.status?.phase, "Succeeded"));
  const { http_proxy: url } = httpProxyEnvironment(address, h.pod()?.status?.podIP ?? "");
  assert.match(url ?? "", /^http:\/\/10\.244\.0\.2:[0-9a-f]{32}@127\.0\.0\.1:4711$/);
  assert.ok(logOf(h, "sh").includes(`proxy=${url} ${url} no=[]\n`));
  assert.ok(logOf(h, "own").includes(`proxy=mine ${url} no=[]\n`));
  await eventually("the event", () => assert.equal(h.reasons().filter((r) => r === "NotCaptured").length, 1));
});

test("an exec probe of a program that is not Node has the proxy too", async (t) => {
  const h = await startHarness(t);
  await h.start();
  const exec = { command: ["/bin/sh", "-c", 'case "$http_proxy" in http://10.244.*@127.0.0.1:1) ;; *) exit 1; esac'] };
  h.apply({
    containers: [
      { name: "a", image: "host", command: ["node", "-e", "setInterval(() => {}, 1e6)"], readinessProbe: { exec } },
    ],
  });
  await eventually("ready", () =>
    assert.equal(h.pod()?.status?.conditions?.find((c) => c.type === "Ready")?.status, "True"),
  );
});
