import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { test } from "node:test";
import { eventually } from "@argyle/testkit";
import { makeCertificates, type TestCertificates } from "./certificates.ts";
import { type Harness, type Scope, startHarness } from "./harness.ts";

const sh = (name: string, script: string) => ({ name, image: "host", command: ["/bin/sh", "-c", script] });

interface Served {
  readonly h: Harness;
  open(path: string): Promise<IncomingMessage>;
  get(path: string): Promise<{ readonly status: number; readonly body: string }>;
  readonly port: number;
  readonly certificates: TestCertificates;
}

async function serve(t: Scope): Promise<Served> {
  const certificates = await makeCertificates();
  const h = await startHarness(t);
  const { port } = await h.start({ ...certificates.server, clientCa: certificates.ca });
  const open = (path: string) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const options = { port, host: "127.0.0.1", path, ca: certificates.ca, ...certificates.client, agent: false };
      request(options, resolve).on("error", reject).end();
    });
  return {
    h,
    open,
    port,
    certificates,
    async get(path) {
      const response = await open(path);
      let body = "";
      for await (const chunk of response) body += String(chunk);
      return { status: response.statusCode ?? 0, body };
    },
  };
}

test("refuses a client without a certificate", async (t) => {
  const { port, certificates } = await serve(t);
  const attempt = new Promise((resolve, reject) => {
    request({ port, host: "127.0.0.1", path: "/healthz", ca: certificates.ca, agent: false }, resolve)
      .on("error", reject)
      .end();
  });
  await assert.rejects(attempt);
});

test("publishes its port and answers /healthz and /pods", async (t) => {
  const { h, get, port } = await serve(t);
  assert.deepEqual(await get("/healthz"), { status: 200, body: "ok" });
  h.apply({ containers: [sh("a", "exec sleep 100")] });
  await eventually("the pod", async () => assert.match((await get("/pods")).body, /"name":"p"/));
  const node = h.api.object("Node", "argyle");
  assert.match(JSON.stringify(node?.status), new RegExp(`"kubeletEndpoint":{"Port":${port}}`));
});

test("serves logs: whole, tail, timestamps, limit, previous, and errors as Status", async (t) => {
  const { h, get } = await serve(t);
  h.apply({
    restartPolicy: "OnFailure",
    containers: [
      sh("a", "if [ -e again ]; then echo second; exit 0; fi; touch again; echo one; echo two; echo three; exit 1"),
    ],
  });
  await eventually("done", () => assert.equal(h.pod()?.status?.phase, "Succeeded"));
  const logs = async (query: string) => (await get(`/containerLogs/ns/p/a?${query}`)).body;
  assert.equal(await logs(""), "second\n");
  assert.equal(await logs("previous=true"), "one\ntwo\nthree\n");
  assert.equal(await logs("previous=true&tailLines=1"), "three\n");
  assert.equal(await logs("previous=true&tailLines=0"), "");
  assert.equal(await logs("previous=true&limitBytes=5"), "one\nt");
  assert.match(await logs("timestamps=true"), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z second\n$/);
  assert.equal(await logs("sinceTime=2100-01-01T00:00:00Z"), "");
  assert.equal(await logs("sinceSeconds=100"), "second\n");
  const missing = await get("/containerLogs/ns/p/b");
  assert.equal(missing.status, 400);
  assert.match(missing.body, /"message":"container b is not valid for pod p"/);
  assert.equal((await get("/containerLogs/ns/q/a")).status, 404);
});

test("follows a log until the container ends", async (t) => {
  const { h, open } = await serve(t);
  h.apply({
    restartPolicy: "Never",
    containers: [sh("a", "echo one; while [ ! -e go ]; do sleep 0.02; done; echo two")],
  });
  await eventually("running", () => assert.equal(h.pod()?.status?.phase, "Running"));
  const response = await open("/containerLogs/ns/p/a?follow=true");
  let body = "";
  response.on("data", (chunk) => {
    body += String(chunk);
  });
  await eventually("the first line", () => assert.equal(body, "one\n"));
  const { writeFileSync } = await import("node:fs");
  writeFileSync(`${h.stateDir}/pods/${h.pod()?.metadata.uid}/a/go`, "");
  await new Promise((resolve) => response.once("end", resolve));
  assert.equal(body, "one\ntwo\n");
});

test("reports memory and cpu of the process tree", async (t) => {
  const { h, get } = await serve(t);
  const script = "x=$(head -c 30000000 /dev/zero | tr '\\0' x); exec 2>/dev/null; while true; do sleep 1; done";
  h.apply({ containers: [sh("a", script)] });
  await eventually("30 MB", async () => {
    const { body } = await get("/metrics/resource");
    const match = /container_memory_working_set_bytes\{container="a",namespace="ns",pod="p"\} (\d+)/.exec(body);
    assert.ok(Number(match?.[1]) > 30_000_000, body);
  });
  const summary = JSON.parse((await get("/stats/summary")).body);
  assert.equal(summary.pods[0].podRef.name, "p");
  assert.ok(summary.pods[0].containers[0].cpu.usageCoreNanoSeconds >= 0);
});
