import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Event, resourceOf } from "@argyle/kube-types";
import { listenOnPath } from "@argyle/pod-network";
import { eventually } from "@argyle/testkit";
import { addPod, addService, exchange, open, setEndpoints, startHarness } from "../test/harness.ts";

const VIP = "10.96.0.9";

async function tcpServer(t: TestContext, answer: string): Promise<number> {
  const server: Server = createServer((socket) => socket.resume().end(answer));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => void server.close());
  const address = server.address();
  return typeof address === "object" ? (address?.port ?? 0) : 0;
}

test("a virtual IP leads to the ready endpoints in turn, and refuses when there is none", async (t) => {
  const h = await startHarness(t);
  const dial = () => h.podNetwork.dial({ host: "web", port: 80, namespace: "a", timeoutMs: 1000 });
  await addService(h.api, "web", { clusterIP: VIP, ports: [{ port: 80 }] });
  await h.echo("10.244.0.1", 8080, "one");
  await h.echo("10.244.0.2", 8080, "two");
  await eventually("the name", () => assert.equal(h.dns("web.a"), `${VIP}\n`));
  await assert.rejects(dial(), { code: "pod-network.dial.refused" });
  await setEndpoints(h.api, "web", 8080, ["10.244.0.1", "10.244.0.2"]);
  await eventually("the socket", async () => assert.equal(await exchange(await dial(), "hi"), "one hi"));
  assert.equal(await exchange(await dial(), "hi"), "two hi");
  assert.equal(await exchange(await dial(), "hi"), "one hi");
  await setEndpoints(h.api, "web", 8080, ["10.244.0.2"]);
  await eventually("the first endpoint is left alone", async () => {
    assert.equal(await exchange(await dial(), "a"), "two a");
    assert.equal(await exchange(await dial(), "b"), "two b");
  });
  await setEndpoints(h.api, "web", 8080, []);
  await eventually("refused again", () => assert.rejects(dial(), { code: "pod-network.dial.refused" }));
  await h.api.client.delete(resourceOf("Service"), { namespace: "a", name: "web" });
  await eventually("the name is gone", () => assert.equal(h.dns("web.a"), undefined));
});

test("an endpoint outside the pod network is reached over TCP", async (t) => {
  const h = await startHarness(t);
  const port = await tcpServer(t, "api server");
  await addService(h.api, "kubernetes", { clusterIP: "10.96.0.1", ports: [{ port: 443 }] });
  await setEndpoints(h.api, "kubernetes", port, ["127.0.0.1"]);
  await addPod(h.api, "client", "10.244.0.7");
  await eventually("from the host", async () =>
    assert.equal(await exchange(await open({ path: h.podNetwork.socketPath("10.96.0.1", 443) }), ""), "api server"),
  );
  await eventually("from a pod", async () =>
    assert.equal(await h.viaPod("10.244.0.7", { ip: "10.96.0.1", port: 443 }, ""), "api server"),
  );
});

test("an endpoint with a sidecar is entered by its in.sock, with the caller's address", async (t) => {
  const h = await startHarness(t);
  await h.sidecar("10.244.0.3", "sidecar");
  await h.echo("10.244.0.3", 8080, "never");
  await addPod(h.api, "client", "10.244.0.7");
  await addService(h.api, "web", { clusterIP: VIP, ports: [{ port: 80 }] });
  await setEndpoints(h.api, "web", 8080, ["10.244.0.3"]);
  const want = "sidecar from 10.244.0.7 to 10.244.0.3:8080 hello";
  await eventually("by virtual IP", async () =>
    assert.equal(await h.viaPod("10.244.0.7", { ip: VIP, port: 80 }, "hello"), want),
  );
  assert.equal(await h.viaPod("10.244.0.7", { ip: "10.244.0.3", port: 8080 }, "hello"), want);
  assert.equal(await h.viaPod("10.244.0.7", { authority: "web", port: 80 }, "hello"), want);
});

test("out of a pod: host network by address and by name, alias, nothing for what the cluster does not know", async (t) => {
  const h = await startHarness(t);
  const port = await tcpServer(t, "outside");
  await addPod(h.api, "client", "10.244.0.7");
  await addService(h.api, "alias", { type: "ExternalName", externalName: "localhost" });
  const via = (to: { ip?: string; port: number; authority?: string }) => h.viaPod("10.244.0.7", to, "");
  await eventually("by address", async () => assert.equal(await via({ ip: "127.0.0.1", port }), "outside"));
  assert.equal(await via({ authority: "localhost", port }), "outside");
  await eventually("the alias", () => assert.equal(h.dns("alias.a"), "CNAME localhost\n"));
  assert.equal(await via({ authority: "alias.a.svc.cluster.local", port }), "outside");
  for (const to of [{ authority: "none.a.svc.cluster.local", port }, { ip: "10.96.9.9", port: 80 }, { port: 80 }])
    assert.equal(await via(to).catch(() => ""), "");
});

test("serves out.sock of pods without a sidecar only, as long as they run", async (t) => {
  const h = await startHarness(t);
  await addPod(h.api, "plain", "10.244.0.7");
  await addPod(h.api, "meshed", "10.244.0.8", ["app", "istio-proxy"]);
  await eventually("the plain pod's", () => assert.ok(existsSync(h.podNetwork.socketPath("10.244.0.7", "out"))));
  assert.ok(!existsSync(h.podNetwork.socketPath("10.244.0.8", "out")));
  await h.api.client.delete(resourceOf("Pod"), { namespace: "a", name: "plain" });
  await eventually("gone", () => assert.ok(!existsSync(h.podNetwork.socketPath("10.244.0.7", "out"))));
});

test("a refused endpoint is passed over, and a program that restarts is waited for", async (t) => {
  const h = await startHarness(t);
  await h.echo("10.244.0.2", 8080, "two");
  mkdirSync(h.podNetwork.podDir("10.244.0.1"), { recursive: true });
  await addService(h.api, "web", { clusterIP: VIP, ports: [{ port: 80 }] });
  await setEndpoints(h.api, "web", 8080, ["10.244.0.1", "10.244.0.2"]);
  const call = async () => exchange(await open({ path: h.podNetwork.socketPath(VIP, 80) }), "x");
  await eventually("the second answers", async () => assert.equal(await call(), "two x"));
  assert.equal(await call(), "two x");
  await setEndpoints(h.api, "web", 8080, ["10.244.0.1"]);
  await eventually("only the first is left", () => assert.rejects(call()));
  const waiting = call();
  await h.echo("10.244.0.1", 8080, "late");
  assert.equal(await waiting, "late x");
});

test("host ports: node port and load balancer port, with the client's own address", async (t) => {
  const nodePort = await freePort();
  const h = await startHarness(t, { hostPortMap: new Map([[8080, 0]]) });
  await h.sidecar("10.244.0.3", "gateway");
  const ports = [{ port: 8080, nodePort }];
  await addService(h.api, "gw", { type: "LoadBalancer", clusterIP: VIP, ports });
  await setEndpoints(h.api, "gw", 8443, ["10.244.0.3"]);
  for (const wished of [8080, nodePort]) {
    const answer = await eventually(`port ${wished}`, async () => {
      const port = h.proxy.hostPort(wished);
      assert.ok(port !== undefined);
      return exchange(await open({ port, host: "127.0.0.1" }), "hi");
    });
    assert.equal(answer, "gateway from 127.0.0.1 to 10.244.0.3:8443 hi");
  }
});

test("a busy host port is an event that says what to do, stops nothing else, and is taken when it is free", async (t) => {
  const h = await startHarness(t);
  const blocker = createServer();
  await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", resolve));
  const address = blocker.address();
  const busy = typeof address === "object" ? (address?.port ?? 0) : 0;
  const free = await freePort();
  const ports = [
    { name: "busy", port: busy },
    { name: "free", port: free },
  ];
  await addService(h.api, "gw", { type: "LoadBalancer", clusterIP: VIP, ports });
  await eventually("the other port", () => assert.equal(h.proxy.hostPort(free), free));
  await eventually("the event", () => assert.equal(h.events("HostPortNotServed").length, 1));
  assert.match(h.events("HostPortNotServed")[0] ?? "", new RegExp(`127.0.0.1:${busy} is not served: another program`));
  blocker.close();
  await eventually("the port that was busy", () => assert.equal(h.proxy.hostPort(busy), busy), 8000);
});

test("of several busy ports of one Service each is told once", async (t) => {
  const h = await startHarness(t);
  const busy = [await tcpServer(t, ""), await tcpServer(t, "")];
  const ports = busy.map((port) => ({ name: `p${port}`, port }));
  await addService(h.api, "gw", { type: "LoadBalancer", clusterIP: VIP, ports });
  await eventually("both events", () => assert.equal(h.events("HostPortNotServed").length, 2));
  for (const ip of ["10.244.0.1", "10.244.0.2"]) await setEndpoints(h.api, "gw", 80, [ip]);
  // Events are written in their order: what comes after shows that nothing came before.
  await addService(h.api, "web", { clusterIP: "10.96.0.10", ports: [{ port: 80 }], sessionAffinity: "ClientIP" });
  await eventually("a later event", () => assert.equal(h.events("SessionAffinityIgnored").length, 1));
  const counts = h.api.all<Event>(resourceOf("Event", "")).map(({ count }) => count);
  assert.deepEqual(counts, [1, 1, 1]);
});

test("of two Services that want one host port the older one keeps it, and the other is told", async (t) => {
  const h = await startHarness(t);
  const port = await freePort();
  await h.echo("10.244.0.1", 80, "first");
  await addService(h.api, "first", { type: "LoadBalancer", clusterIP: VIP, ports: [{ port }] });
  await setEndpoints(h.api, "first", 80, ["10.244.0.1"]);
  await addService(h.api, "second", { type: "LoadBalancer", clusterIP: "10.96.0.10", ports: [{ port }] });
  await eventually("the event", () => assert.match(h.events("HostPortConflict")[0] ?? "", /a\/first has it/));
  assert.equal(await exchange(await open({ port, host: "127.0.0.1" }), "x"), "first x");
});

test("a refused load balancer connection is reset, not left hanging", async (t) => {
  const h = await startHarness(t);
  const port = await freePort();
  await addService(h.api, "gw", { type: "LoadBalancer", clusterIP: VIP, ports: [{ port }] });
  await eventually("the port", () => assert.equal(h.proxy.hostPort(port), port));
  const call = async () => exchange(await open({ port, host: "127.0.0.1" }), "x");
  await assert.rejects(call, { code: "ECONNRESET" });
});

test("megabytes pass unchanged both ways, with half-close", async (t) => {
  const h = await startHarness(t);
  const port = await freePort();
  const path = h.podNetwork.socketPath("10.244.0.1", 80);
  const server = await listenOnPath(path, (socket) => void socket.pipe(socket));
  t.after(() => void server.close());
  await addService(h.api, "gw", { type: "LoadBalancer", clusterIP: VIP, ports: [{ port }] });
  await setEndpoints(h.api, "gw", 80, ["10.244.0.1"]);
  await eventually("the port", () => assert.equal(h.proxy.hostPort(port), port));
  const text = randomBytes(4_000_000).toString("hex");
  const back = await exchange(await open({ port, host: "127.0.0.1" }), text);
  assert.equal(back.length, text.length);
  assert.ok(back === text);
});

test("serves on while the API server is away", async (t) => {
  const h = await startHarness(t);
  await h.echo("10.244.0.1", 8080, "one");
  await addService(h.api, "web", { clusterIP: VIP, ports: [{ port: 80 }] });
  await setEndpoints(h.api, "web", 8080, ["10.244.0.1"]);
  const call = async () => exchange(await open({ path: h.podNetwork.socketPath(VIP, 80) }), "x");
  await eventually("served", async () => assert.equal(await call(), "one x"));
  h.api.setDown(true);
  assert.equal(await call(), "one x");
  h.api.setDown(false);
  await setEndpoints(h.api, "web", 8080, ["10.244.0.2"]);
  await h.echo("10.244.0.2", 8080, "two");
  await eventually("catches up", async () => assert.equal(await call(), "two x"));
});

test("after a restart it takes over sockets and removes what is no longer there", async (t) => {
  const h = await startHarness(t);
  await h.echo("10.244.0.1", 8080, "one");
  await addService(h.api, "web", { clusterIP: VIP, ports: [{ port: 80 }] });
  await setEndpoints(h.api, "web", 8080, ["10.244.0.1"]);
  await addPod(h.api, "client", "10.244.0.7");
  await eventually("served", () => assert.ok(existsSync(h.podNetwork.socketPath(VIP, 80))));
  // A killed process leaves its files behind.
  writeFileSync(join(h.runDir, "dns", "gone.a"), "10.96.0.77\n");
  mkdirSync(join(h.runDir, "10.96.0.77"), { recursive: true });
  writeFileSync(join(h.runDir, "10.96.0.77", "80.sock"), "");
  const again = await h.restart();
  assert.equal(await exchange(await open({ path: h.podNetwork.socketPath(VIP, 80) }), "x"), "one x");
  assert.equal(await again.viaPod("10.244.0.7", { ip: VIP, port: 80 }, "y"), "one y");
  assert.equal(again.dns("gone.a"), undefined);
  assert.ok(!existsSync(join(h.runDir, "10.96.0.77")));
});

test("says that session affinity is not honoured", async (t) => {
  const h = await startHarness(t);
  await addService(h.api, "web", { clusterIP: VIP, ports: [{ port: 80 }], sessionAffinity: "ClientIP" });
  await eventually("the event", () => assert.match(h.events("SessionAffinityIgnored")[0] ?? "", /consistentHash/));
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" ? (address?.port ?? 0) : 0));
    });
  });
}
