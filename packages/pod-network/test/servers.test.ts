import assert from "node:assert/strict";
import { type ChildProcess, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import test, { type TestContext } from "node:test";
import { eventually, tempDir } from "@argyle/testkit";
import { listenOnPath, type PreloadOptions } from "../src/index.ts";
import { type FakePod, POD_IP, ROOT, runInPod, startFakePod, startInPod } from "./fake-pod.ts";

const PROGRAM = join(ROOT, "packages/pod-network/test/servers.cjs");

async function pod(t: TestContext, change: Partial<PreloadOptions> = {}): Promise<FakePod> {
  const started = await startFakePod(tempDir(t), change);
  t.after(() => started.close());
  return started;
}

/** Starts one of servers.cjs and collects its lines; it is killed at the end of the test. */
async function start(t: TestContext, inPod: FakePod, name: string, lines: number): Promise<unknown[]> {
  const child = startInPod(inPod, [PROGRAM, name]);
  t.after(() => stop(child));
  const told: unknown[] = [];
  assert.ok(child.stdout !== null);
  createInterface({ input: child.stdout }).on("line", (line) => told.push(JSON.parse(line)));
  await eventually(`${name} has said enough`, () =>
    assert.ok(told.length >= lines, `${name} said ${JSON.stringify(told)}`),
  );
  return told;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

function ask(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ socketPath, path, agent: false }, (response) => {
      let body = "";
      response.on("data", (chunk) => {
        body += String(chunk);
      });
      response.on("end", () => resolve(body));
    }).once("error", reject);
  });
}

test("listen(port) binds the pod's socket and says the port", async (t) => {
  const inPod = await pod(t);
  const [address] = await start(t, inPod, "http on a port", 1);
  assert.deepEqual(address, { address: "::", family: "IPv6", port: 80 });
  const reply = await ask(join(inPod.podDir, "80.sock"), "/x");
  assert.deepEqual(JSON.parse(reply), ["/x", "127.0.0.6", POD_IP, 80]);
});

test("listening on the pod's address works though no such address is on the host", async (t) => {
  const inPod = await pod(t);
  const [address] = await start(t, inPod, "http on the pod's address", 1);
  assert.deepEqual(address, { address: POD_IP, family: "IPv4", port: 8080 });
  await ask(join(inPod.podDir, "8080.sock"), "/x");
});

test("a port that is taken is told as for TCP", async (t) => {
  const [error] = await start(t, await pod(t), "a port that is taken", 1);
  assert.deepEqual(error, { code: "EADDRINUSE", message: "listen EADDRINUSE: address already in use :::80", port: 80 });
});

test("port 0 is left to the host", async (t) => {
  const told = await start(t, await pod(t), "a port of its own choice", 2);
  assert.deepEqual(told, [["127.0.0.1", true, "number"], "host loopback works"]);
});

test("a program reaches itself by every name of its own", async (t) => {
  const inPod = await pod(t);
  const told = await start(t, inPod, "a program that asks itself", 4);
  const reply = JSON.stringify(["/self", "127.0.0.6", POD_IP, 3000]);
  assert.deepEqual(told, [
    ["localhost", reply],
    ["127.0.0.1", reply],
    [POD_IP, reply],
    ["web-1", reply],
  ]);
  assert.deepEqual(inPod.seen, [], "nothing of that goes through the sidecar");
});

test("a socket file that a killed container left behind does not block the port", async (t) => {
  const inPod = await pod(t);
  const path = join(inPod.podDir, "80.sock");
  const killed = startInPod(inPod, [PROGRAM, "http on a port"]);
  await eventually("the first program answers", async () => {
    await ask(path, "/");
  });
  await stop(killed);
  assert.equal(existsSync(path), true);
  const [address] = await start(t, inPod, "a socket file that was left behind", 1);
  assert.deepEqual(address, { address: "::", family: "IPv6", port: 80 });
  assert.deepEqual(JSON.parse(await ask(path, "/again"))[0], "/again");
});

test("cluster workers share the port", async (t) => {
  const inPod = await pod(t);
  await start(t, inPod, "cluster workers", 1);
  const pids = new Set<string>();
  for (let i = 0; i < 6; i += 1) pids.add(await ask(join(inPod.podDir, "80.sock"), "/"));
  assert.equal(pids.size, 2);
});

test("resetAndDestroy of an accepted connection ends it instead of throwing", async (t) => {
  const inPod = await pod(t);
  await start(t, inPod, "abrupt reset of a client", 1);
  const socket = connect({ path: join(inPod.podDir, "80.sock") });
  socket.write("x");
  socket.resume();
  await once(socket, "close");
});

test("mountPaths are mapped for fs calls where that is asked for", async (t) => {
  const dir = tempDir(t);
  const config = join(dir, "config");
  const data = join(dir, "data");
  mkdirSync(join(dir, "nested"));
  mkdirSync(config);
  mkdirSync(data);
  writeFileSync(join(config, "a.txt"), "mounted");
  writeFileSync(join(dir, "nested/b.txt"), "nested wins");
  const inPod = await pod(t, {
    volumeMounts: [
      { mountPath: "/etc/config", hostPath: config },
      { mountPath: "/etc/config/nested/", hostPath: join(dir, "nested") },
      { mountPath: "/data", hostPath: data },
    ],
  });
  const output = await runInPod(inPod, [PROGRAM, "files"]);
  const told = output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
  assert.deepEqual(told, ["mounted", true, ["a.txt"], false, "nested wins"]);
  assert.equal(readFileSync(join(data, "out.txt"), "utf8"), "written");
});

test("named imports of an ECMAScript module are captured", async (t) => {
  const inPod = await pod(t);
  const file = join(inPod.runDir, "esm.mjs");
  writeFileSync(
    file,
    `import { get } from "node:http"; import { lookup } from "node:dns/promises"; import { createServer } from "node:net";
     console.log((await lookup("catalogue")).address);
     get("http://catalogue/esm", (r) => r.on("data", (d) => console.log(String(d))).on("end", () => {
       const s = createServer().listen(90, () => { console.log(s.address().port); process.exit(); });
     }));`,
  );
  assert.equal(await runInPod(inPod, [file]), "10.96.0.10\ncatalogue/esm\n90\n");
});

test("Istio's exclude annotations let a connection past the sidecar", async (t) => {
  const inPod = await pod(t, {
    annotations: {
      "traffic.sidecar.istio.io/excludeOutboundPorts": "7000",
      "traffic.sidecar.istio.io/excludeOutboundIPRanges": "10.96.0.11/32",
    },
  });
  const server = await listenOnPath(join(inPod.runDir, "10.96.0.12", "7000.sock"), (socket) => socket.end("direct"));
  t.after(() => server.close());
  const code = `const t = require("node:net").connect(7000, "echo"); t.on("data", (d) => { process.stdout.write(String(d)); process.exit(); })`;
  assert.equal(await runInPod(inPod, ["-e", code]), "direct");
  assert.deepEqual(inPod.seen, []);
});

test("127.0.0.1 and the port of a LoadBalancer Service is that Service", async (t) => {
  const inPod = await pod(t, { loadBalancerPorts: { 80: "10.96.0.77" } });
  const code = `require("node:http").get("http://127.0.0.1/lb", (r) => r.on("data", (d) => process.stdout.write(String(d))))`;
  assert.equal(await runInPod(inPod, ["-e", code]), "127.0.0.1/lb");
  assert.deepEqual(inPod.seen, ["10.96.0.77:80 -"]);
});

test("a sidecar that is away refuses, with the address that was asked for", async (t) => {
  const inPod = await pod(t, { podDir: join(tempDir(t), "elsewhere") });
  const code = `require("node:net").connect(80, "catalogue").on("error", (e) => console.log(e.code, e.message))`;
  const preload = join(inPod.podDir, "preload.cjs");
  const result = spawnSync(process.execPath, ["--require", preload, "-e", code], { encoding: "utf8", env: {} });
  assert.equal(result.stdout, "ECONNREFUSED connect ECONNREFUSED 10.96.0.10:80\n");
});
