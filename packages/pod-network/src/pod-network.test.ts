import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { errnoOf, MeshError } from "@argyle/core";
import { createFakeClock, eventually, tempDir } from "@argyle/testkit";
import { clusterQuery } from "./cluster-dns.ts";
import { dialErrno } from "./dial.ts";
import { type ListenOptions, listenOnPath, receiveProxyHeader } from "./listen.ts";
import { createPodNetwork, type PodNetwork } from "./pod-network.ts";
import { authorityOf, type ProxyHeader } from "./proxy-protocol.ts";
import { relay } from "./relay.ts";
import { resetSocket } from "./reset.ts";

const POD = "10.244.0.5";
const OTHER = "10.244.0.6";

interface Fixture {
  readonly network: PodNetwork;
  readonly runDir: string;
  serve(path: string, onConnection: (socket: Socket) => void, options?: ListenOptions): Promise<Server>;
  /** A server that opens with the PROXY header it got, or with "plain". */
  dns(name: string, ...addresses: string[]): void;
}

function fixture(t: TestContext): Fixture {
  const runDir = tempDir(t);
  mkdirSync(join(runDir, "dns"));
  const open = new Set<Socket>();
  t.after(() => {
    for (const socket of open) socket.destroy();
  });
  return {
    runDir,
    network: createPodNetwork({ runDir, random: () => 0 }),
    async serve(path, onConnection, options) {
      const server = await listenOnPath(
        path,
        (socket) => {
          open.add(socket);
          socket.on("error", () => undefined);
          onConnection(socket);
        },
        options,
      );
      t.after(() => {
        server.close();
      });
      return server;
    },
    dns: (name, ...addresses) => writeFileSync(join(runDir, "dns", name), `${addresses.join("\n")}\n`),
  };
}

async function readAll(socket: Socket): Promise<string> {
  let all = "";
  for await (const chunk of socket) all += String(chunk);
  return all;
}

test("the search path of a name is a pod's", () => {
  for (const [name, candidates, isClusterZone] of [
    ["db", ["db.shop"], false],
    ["DB", ["db.shop"], false],
    ["db.other", ["db.other.shop", "db.other"], false],
    ["db-0.db.shop", ["db-0.db.shop.shop", "db-0.db.shop"], false],
    ["db.shop.svc", ["db.shop"], true],
    ["db.shop.svc.cluster.local", ["db.shop"], true],
    ["db.shop.svc.cluster.local.", ["db.shop"], true],
    ["db.", [], false],
    ["example.org.", ["example.org"], false],
    ["x.cluster.local", [], true],
    ["../../etc/passwd", [], false],
    ["..", [], false],
    ["a/b", [], false],
    ["10.1.2.3", [], false],
    ["", [], false],
  ] as const)
    assert.deepEqual(clusterQuery(name, "shop"), { candidates, isClusterZone }, name);
});

test("names are read from the DNS directory and never asked elsewhere", async (t) => {
  const { network, dns } = fixture(t);
  dns("db.shop", "10.244.0.7", "10.244.0.8");
  assert.deepEqual(await network.resolve("db", "shop"), {
    kind: "found",
    name: "db.shop",
    addresses: ["10.244.0.7", "10.244.0.8"],
  });
  assert.deepEqual(await network.resolve("db", "other"), { kind: "external" });
  assert.deepEqual(await network.resolve("nobody.shop.svc.cluster.local", "shop"), { kind: "unknown" });
  assert.deepEqual(await network.resolve("example.org", "shop"), { kind: "external" });
});

test("paths and ranges", (t) => {
  const { network, runDir } = fixture(t);
  assert.equal(network.podDir(POD), join(runDir, POD));
  assert.equal(network.socketPath(POD, "in"), join(runDir, POD, "in.sock"));
  assert.equal(network.socketPath(POD, 80), join(runDir, POD, "80.sock"));
  assert.deepEqual([POD, "10.96.0.1", "10.112.0.1", "127.0.0.1"].map(network.isPodNetworkAddress), [
    true,
    true,
    false,
    false,
  ]);
});

/** Serves in.sock of POD: answers with what the header said. */
async function serveInbound({ network, serve }: Fixture): Promise<void> {
  await serve(network.socketPath(POD, "in"), (socket) => {
    void receiveProxyHeader(socket, { timeoutMs: 2000 }).then((header) => {
      socket.end(
        header.command === "PROXY"
          ? `${header.source.ip} ${header.destination.ip}:${header.destination.port} ${authorityOf(header)}`
          : "local",
      );
    });
  });
}

test("a pod with a proxy is reached through in.sock, with the header", async (t) => {
  const f = fixture(t);
  await serveInbound(f);
  await f.serve(f.network.socketPath(POD, 80), (socket) => socket.end("around the proxy"));
  const from = { ip: OTHER };
  const dialed = await f.network.dial({ from, host: POD, port: 80, timeoutMs: 1000, authority: "web" });
  assert.equal(await readAll(dialed), `${OTHER} ${POD}:80 web`);
  const destination = { ip: "10.96.0.3", port: 8080 };
  const viaVip = await f.network.dial({ from, host: POD, port: 80, timeoutMs: 1000, destination });
  assert.equal(await readAll(viaVip), `${OTHER} 10.96.0.3:8080 undefined`);
  const own = await f.network.dial({ from: { ip: POD }, host: POD, port: 80, timeoutMs: 1000 });
  assert.equal(await readAll(own), "around the proxy");
  const app = await f.network.dial({ host: POD, port: 80, timeoutMs: 1000, via: "app" });
  assert.equal(await readAll(app), "around the proxy");
  const loopback = await f.network.dial({ from: { ip: POD }, host: "127.0.0.1", port: 80, timeoutMs: 1000 });
  assert.equal(await readAll(loopback), "around the proxy");
});

test("a proxy that is away is not gone around", async (t) => {
  const f = fixture(t);
  await f.serve(f.network.socketPath(POD, 80), (socket) => socket.end("around the proxy"));
  const { socketPath } = f.network;
  await leaveStale(socketPath(POD, "in"));
  await assert.rejects(f.network.dial({ from: { ip: OTHER }, host: POD, port: 80, timeoutMs: 500 }), {
    code: "pod-network.dial.refused",
  });
});

test("a pod without a proxy, a Service, names and the host", async (t) => {
  const f = fixture(t);
  await f.serve(f.network.socketPath(POD, 80), (socket) => socket.end("program"));
  await f.serve(f.network.socketPath("10.96.0.3", 80), (socket) => socket.end("service"));
  f.dns("web.shop", "10.96.0.3");
  f.dns("headless.shop", OTHER, POD);
  const read = async (host: string, port = 80) =>
    readAll(await f.network.dial({ from: { ip: OTHER }, host, port, namespace: "shop", timeoutMs: 1000 }));
  assert.equal(await read(POD), "program");
  assert.equal(await read("web"), "service");
  assert.equal(await read("web.shop.svc.cluster.local."), "service");
  // The first address is the dialing pod itself, which does not listen: the next one answers.
  assert.equal(await read("headless"), "program");
  const host = createServer((socket) => socket.end("host")).listen(0, "127.0.0.1");
  t.after(() => {
    host.close();
  });
  await once(host, "listening");
  assert.equal(await read("127.0.0.1", (host.address() as AddressInfo).port), "host");
  assert.equal(await read("localhost", (host.address() as AddressInfo).port), "host");
});

test("failures have the errno that TCP would give", async (t) => {
  const f = fixture(t);
  mkdirSync(join(f.runDir, POD));
  await leaveStale(f.network.socketPath(POD, 81));
  for (const [host, port, errno, code] of [
    [POD, 80, "ECONNREFUSED", "refused"],
    [POD, 81, "ECONNREFUSED", "refused"],
    [OTHER, 80, "EHOSTUNREACH", "no-route"],
    ["10.96.0.9", 80, "ECONNREFUSED", "refused"],
    ["nobody.shop.svc", 80, "ENOTFOUND", "name-not-found"],
    ["127.0.0.1", 1, "ECONNREFUSED", "refused"],
  ] as const) {
    await assert.rejects(f.network.dial({ host, port, timeoutMs: 1000 }), (error) => {
      assert.ok(error instanceof MeshError);
      assert.equal(error.code, `pod-network.dial.${code}`, `${host}:${port}`);
      assert.equal(dialErrno(error), errno);
      assert.ok(error.cause instanceof Error);
      const want = errno === "ENOTFOUND" ? `getaddrinfo ENOTFOUND ${host}` : `connect ${errno} ${host}:${port}`;
      assert.equal(error.cause.message, want);
      return true;
    });
  }
});

test("a full backlog is retried until the time-out", async (t) => {
  const f = fixture(t);
  const clock = createFakeClock();
  const network = createPodNetwork({ runDir: f.runDir, clock, random: () => 0.5 });
  const path = network.socketPath(POD, 80);
  mkdirSync(join(f.runDir, POD));
  const server = createServer({ pauseOnConnect: true });
  server.listen({ path, backlog: 1 });
  await once(server, "listening");
  // Blocks the accepting loop: this test's own thread never gets to accept while it connects synchronously below.
  const fillers: Socket[] = [];
  let sawFull = false;
  for (let i = 0; i < 40; i += 1) {
    const filler = connect({ path });
    filler.on("error", (error) => {
      sawFull ||= errnoOf(error) === "EAGAIN";
    });
    fillers.push(filler);
  }
  const dialing = network.dial({ host: POD, port: 80, timeoutMs: 5000 });
  await eventually("the backlog was full", () => assert.equal(sawFull, true));
  await clock.advance(4000);
  const dialed = await dialing;
  for (const socket of [...fillers, dialed]) socket.destroy();
  server.close();
});

test("an aborted dial rejects with the reason", async (t) => {
  const f = fixture(t);
  const reason = new Error("given up");
  await assert.rejects(
    f.network.dial({ host: POD, port: 80, timeoutMs: 1000, signal: AbortSignal.abort(reason) }),
    reason,
  );
});

test("listening removes a stale socket file, but never one that is served", async (t) => {
  const f = fixture(t);
  const path = join(f.runDir, "x", "in.sock");
  mkdirSync(join(f.runDir, "x"));
  await leaveStale(path);
  const server = await f.serve(path, (socket) => socket.end("new"));
  assert.equal(statSync(path).mode & 0o777, 0o700);
  await assert.rejects(
    listenOnPath(path, () => undefined),
    { code: "pod-network.listen.failed" },
  );
  assert.equal(await readAll(connect({ path })), "new");
  assert.equal(server.listening, true);
  await assert.rejects(
    listenOnPath(join(f.runDir, "y".repeat(100)), () => undefined),
    { code: "pod-network.listen.path-too-long" },
  );
});

for (const [name, bytes, code] of [
  ["another protocol", "GET / HTTP/1.1\r\n\r\n", "invalid"],
  ["an early end", "\r\n\r\n", "missing"],
] as const) {
  test(`a connection without a PROXY header is refused: ${name}`, async (t) => {
    const f = fixture(t);
    const refused: Promise<void>[] = [];
    const path = join(f.runDir, "in.sock");
    await f.serve(path, (socket) => {
      const received = receiveProxyHeader(socket, { timeoutMs: 2000 });
      refused.push(assert.rejects(received, { code: `pod-network.proxy-header.${code}` }));
    });
    const client = connect({ path });
    client.on("error", () => undefined);
    client.end(bytes);
    await eventually("it was accepted", () => assert.equal(refused.length, 1));
    await refused[0];
  });
}

test("a PROXY header that does not come is given up", async (t) => {
  const f = fixture(t);
  const clock = createFakeClock();
  const received: Promise<ProxyHeader>[] = [];
  const path = join(f.runDir, "in.sock");
  await f.serve(path, (socket) => received.push(receiveProxyHeader(socket, { timeoutMs: 2000, clock })));
  const client = connect({ path });
  t.after(() => client.destroy());
  await eventually("it was accepted", () => assert.equal(received.length, 1));
  const refused = assert.rejects(received[0] ?? Promise.resolve(), { code: "pod-network.proxy-header.timeout" });
  await clock.advance(2000);
  await refused;
});

/** A connected pair over a unix socket: what the dialer has and what the accepting side has. */
async function pair(f: Fixture, name: string, pauseOnConnect = false): Promise<[Socket, Socket]> {
  const path = join(f.runDir, `${name}.sock`);
  const accepted = new Promise<Socket>((resolve) => {
    void f.serve(path, resolve, { pauseOnConnect });
  });
  await eventually("it listens", () => assert.equal(existsSync(path), true));
  const dialed = connect({ path, allowHalfOpen: true });
  await once(dialed, "connect");
  return [dialed, await accepted];
}

test("closing a unix socket with bytes unread is a reset on this machine", async (t) => {
  const f = fixture(t);
  const [dialed, accepted] = await pair(f, "a", true);
  await new Promise((resolve) => dialed.write("never read", resolve));
  resetSocket(accepted);
  dialed.resume();
  const [error] = await once(dialed, "error");
  assert.equal(errnoOf(error), "ECONNRESET");
});

test("a reset is real although everything was read: the dialer gets ECONNRESET", async (t) => {
  const f = fixture(t);
  const { network } = f;
  await f.serve(network.socketPath(POD, "in"), (socket) => {
    void receiveProxyHeader(socket, { timeoutMs: 2000 }).then((header) => {
      socket.on("data", () => network.reset(socket, header));
    });
  });
  const socket = await network.dial({ from: { ip: OTHER }, host: POD, port: 80, timeoutMs: 1000 });
  socket.write("plaintext");
  socket.resume();
  const [error] = await once(socket, "error");
  assert.equal(errnoOf(error), "ECONNRESET");
  assert.equal(error.message, "read ECONNRESET");
  assert.deepEqual(readdirSync(join(f.runDir, "resets")), [], "the mark is gone");
});

test("a write that meets the reset says ECONNRESET, not EPIPE", async (t) => {
  const f = fixture(t);
  const { network } = f;
  await f.serve(network.socketPath(POD, "in"), (socket) => {
    void receiveProxyHeader(socket, { timeoutMs: 2000 }).then((header) => network.reset(socket, header));
  });
  const from = { ip: OTHER };
  for (let round = 0; round < 20; round += 1) {
    const socket = await network.dial({ from, host: POD, port: 80, timeoutMs: 1000 });
    // Not reading: only the writes can find out.
    const failed = once(socket, "error");
    const writing = setInterval(() => socket.write("x"), 1);
    const [error] = await failed;
    clearInterval(writing);
    assert.equal(errnoOf(error), "ECONNRESET");
  }
});

test("a plain close stays an end of stream", async (t) => {
  const f = fixture(t);
  await f.serve(f.network.socketPath(POD, "in"), (socket) => {
    void receiveProxyHeader(socket, { timeoutMs: 2000 }).then(() => socket.end("bye"));
  });
  const socket = await f.network.dial({ from: { ip: OTHER }, host: POD, port: 80, timeoutMs: 1000 });
  assert.equal(await readAll(socket), "bye");
});

test("a TCP connection is reset by RST", async (t) => {
  const server = createServer((socket) => {
    socket.on("data", () => resetSocket(socket));
  }).listen(0, "127.0.0.1");
  t.after(() => {
    server.close();
  });
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  client.write("x");
  const [error] = await once(client, "error");
  assert.equal(errnoOf(error), "ECONNRESET");
});

test("a relay copies both ways, passes half-close and counts", async (t) => {
  const f = fixture(t);
  const [client, inside] = await pair(f, "a");
  const [outside, server] = await pair(f, "b");
  const done = relay(inside, outside);
  const big = Buffer.alloc(3_000_000, "x");
  client.end(big);
  let size = 0;
  server.on("data", (chunk: Buffer) => {
    size += chunk.length;
  });
  await once(server, "end");
  assert.equal(size, big.length);
  server.end("and back");
  assert.equal(await readAll(client), "and back");
  assert.deepEqual(await done, { forward: big.length, backward: 8 });
});

test("a slow reader slows the relay's other side", async (t) => {
  const f = fixture(t);
  const [client, inside] = await pair(f, "a");
  const [outside, server] = await pair(f, "b");
  const done = relay(inside, outside);
  server.pause();
  const chunk = Buffer.alloc(256 * 1024, "x");
  let written = 0;
  while (client.write(chunk) || written < 8_000_000) {
    written += chunk.length;
    if (written >= 8_000_000) break;
  }
  await eventually("the relay waits", () => assert.equal(inside.isPaused(), true));
  assert.ok(outside.writableLength < 2_000_000, `${outside.writableLength} bytes are held`);
  server.resume();
  client.end();
  server.once("end", () => server.end());
  client.resume();
  await done;
});

test("a broken side resets the other one", async (t) => {
  const f = fixture(t);
  const [client, inside] = await pair(f, "a");
  const [outside, server] = await pair(f, "b", true);
  const resets: string[] = [];
  const done = relay(inside, outside, {
    reset: (socket, side) => {
      resets.push(side);
      socket.destroy();
    },
  });
  client.write("hello");
  await eventually("it was passed on", () => assert.equal(outside.bytesWritten, 5));
  server.destroy();
  const result = await done;
  assert.equal(result.error?.side, "b");
  assert.equal(errnoOf(result.error?.cause), "ECONNRESET");
  assert.deepEqual(resets, ["a"]);
  await once(client.resume(), "end");
  client.destroy();
});

test("an idle relay ends both sides", async (t) => {
  const f = fixture(t);
  const clock = createFakeClock();
  const [client, inside] = await pair(f, "a");
  const [outside, server] = await pair(f, "b");
  const done = relay(inside, outside, { idleTimeoutMs: 1000, clock });
  await clock.advance(900);
  client.write("x");
  await once(server, "data");
  await clock.advance(900);
  assert.equal(inside.destroyed, false);
  await clock.advance(200);
  await done;
  client.destroy();
  server.destroy();
});

/** A socket file that nobody accepts on, as a killed process leaves it. */
async function leaveStale(path: string): Promise<void> {
  const server = createServer().listen({ path: `${path}.t` });
  await once(server, "listening");
  const { renameSync } = await import("node:fs");
  renameSync(`${path}.t`, path);
  chmodSync(path, 0o700);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
}
