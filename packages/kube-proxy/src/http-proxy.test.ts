import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { createServer as createHttpServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { authorityOf, httpProxyEnvironment, readHttpProxyAddress, receiveProxyHeader } from "@argyle/pod-network";
import { eventually } from "@argyle/testkit";
import { addPod, addService, type Harness, readAll, setEndpoints, startHarness } from "../test/harness.ts";

const PLAIN = "10.244.0.7";
const MESHED = "10.244.0.8";
const VIP = "10.96.0.9";

/** A pod with and one without a sidecar; `web` answers with what it was asked, the sidecar with what its PROXY header said before. */
async function start(t: TestContext) {
  const h = await startHarness(t);
  await addPod(h.api, "plain", PLAIN);
  await addPod(h.api, "meshed", MESHED, ["app", "istio-proxy"]);
  await addService(h.api, "web", { clusterIP: VIP, ports: [{ port: 80 }] });
  await setEndpoints(h.api, "web", 8080, ["10.244.0.1"]);
  await serveHttp(t, h.podNetwork.socketPath("10.244.0.1", 8080), "web");
  const proxy = await eventually("the address", () => {
    const address = readHttpProxyAddress(h.runDir);
    assert.ok(address);
    return address;
  });
  await eventually("the name", () => assert.equal(h.dns("web.a"), `${VIP}\n`));
  const authorization = (ip: string) => {
    const { username, password } = new URL(httpProxyEnvironment(proxy, ip).http_proxy ?? "");
    return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  };
  return { h, proxy, authorization };
}

async function serveHttp(t: TestContext, path: string, label: string, seen: Socket[] = []): Promise<void> {
  const answer = async (q: IncomingMessage, r: ServerResponse) => {
    const body = await readBody(q);
    r.setHeader("X-Got", JSON.stringify(q.rawHeaders));
    r.end(`${label} ${q.method} ${q.url} ${q.headers.host} ${body}`);
  };
  const server = createHttpServer((q, r) => void answer(q, r));
  server.on("connection", (socket) => seen.push(socket));
  server.on("upgrade", (_, socket, head: Buffer) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    socket.write(head);
    socket.pipe(socket);
  });
  await serve(t, server, path);
}

/** The sidecar of the meshed pod, as far as these tests go: an HTTP server behind PROXY headers, which it tells in `x-header`. */
async function serveSidecar(t: TestContext, h: Harness): Promise<Socket[]> {
  const seen: Socket[] = [];
  const headers = new WeakMap<object, string>();
  const http = createHttpServer((q, r) => r.end(`sidecar ${headers.get(q.socket)} ${q.url} ${q.headers.host}`));
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    seen.push(socket);
    receiveProxyHeader(socket, { timeoutMs: 1000 }).then(
      (header) => {
        if (header.command === "LOCAL") return;
        const { source, destination } = header;
        headers.set(socket, `${source.ip} ${destination.ip}:${destination.port} ${authorityOf(header) ?? ""}`);
        http.emit("connection", socket);
        socket.resume();
      },
      () => socket.destroy(),
    );
  });
  await serve(t, server, h.podNetwork.socketPath(MESHED, "out"));
  return seen;
}

async function serve(t: TestContext, server: Server, path: string): Promise<void> {
  mkdirSync(join(path, ".."), { recursive: true });
  const open = new Set<Socket>();
  server.on("connection", (socket: Socket) => open.add(socket));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
}

async function readBody(q: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of q) text += String(chunk);
  return text;
}

interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** One absolute-form request. */
function ask(s: Awaited<ReturnType<typeof start>>, ip: string, url: string, asked: Asked = {}) {
  return new Promise<{ status: number; body: string; headers: IncomingMessage["headers"] }>((resolve, reject) => {
    const q = request(
      {
        port: s.proxy.port,
        host: "127.0.0.1",
        path: url,
        method: asked.method ?? "GET",
        agent: false,
        headers: { host: url.split("/")[2], "proxy-authorization": s.authorization(ip), ...asked.headers },
      },
      (r) => {
        readBody(r).then((body) => resolve({ status: r.statusCode ?? 0, body, headers: r.headers }), reject);
      },
    );
    q.on("error", reject);
    q.end(asked.body);
  });
}

function dialProxy(s: Awaited<ReturnType<typeof start>>, head: string): Socket {
  const socket = connect({ port: s.proxy.port, host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => undefined);
  socket.write(head);
  return socket;
}

test("a pod without a sidecar reaches Services by name, its body and fields unchanged", async (t) => {
  const s = await start(t);
  const { status, body, headers } = await ask(s, PLAIN, "http://web/x?y=1", {
    method: "POST",
    headers: { "X-Mine": "1", "Proxy-Connection": "keep-alive" },
    body: "hello",
  });
  assert.equal(status, 200);
  assert.equal(body, "web POST /x?y=1 web hello");
  const got = JSON.parse(String(headers["x-got"])) as string[];
  assert.ok(got.includes("X-Mine"));
  assert.ok(!got.some((name) => /^proxy-/i.test(name)));
  const large = "x".repeat(3_000_000);
  const chunked = { method: "PUT", headers: { "transfer-encoding": "chunked" }, body: large };
  assert.equal((await ask(s, PLAIN, "http://web/", chunked)).body, `web PUT / web ${large}`);
});

test("a pod with a sidecar goes through its out.sock, with destination and name", async (t) => {
  const s = await start(t);
  await serveSidecar(t, s.h);
  const cases = [
    { url: "http://web/p", want: `${MESHED} ${VIP}:80 web /p web` },
    {
      url: "http://web.a.svc.cluster.local/",
      want: `${MESHED} ${VIP}:80 web.a.svc.cluster.local / web.a.svc.cluster.local`,
    },
    { url: `http://${VIP}:81/`, want: `${MESHED} ${VIP}:81  / ${VIP}:81` },
    { url: "http://outside.example/", want: `${MESHED} 0.0.0.0:80 outside.example / outside.example` },
  ];
  for (const { url, want } of cases) assert.equal((await ask(s, MESHED, url)).body, `sidecar ${want}`);
  const { body } = await ask(s, MESHED, "http://web/", { headers: { host: "other" } });
  assert.equal(body, `sidecar ${MESHED} ${VIP}:80 web / other`);
});

test("localhost and the pod's own address are the pod's own programs, never the sidecar", async (t) => {
  const s = await start(t);
  await serveSidecar(t, s.h);
  await serveHttp(t, s.h.podNetwork.socketPath(MESHED, 8079), "own");
  for (const host of ["localhost", "127.0.0.1", MESHED, "meshed", "[::1]"])
    assert.match((await ask(s, MESHED, `http://${host}:8079/`)).body, /^own GET/);
  const hostServer = createHttpServer((_, r) => r.end("the host's"));
  await new Promise<void>((resolve) => hostServer.listen(0, "127.0.0.1", resolve));
  t.after(() => void hostServer.close());
  const address = hostServer.address();
  const port = typeof address === "object" ? address?.port : 0;
  assert.equal((await ask(s, MESHED, `http://localhost:${port}/`)).body, "the host's");
  assert.equal((await ask(s, MESHED, `http://${MESHED}:${port}/`)).status, 502);
  await addService(s.h.api, "lb", { type: "LoadBalancer", clusterIP: "10.96.0.20", ports: [{ port: 9 }] });
  await eventually("a load balancer's port", async () =>
    assert.equal((await ask(s, MESHED, "http://localhost:9/")).body, `sidecar ${MESHED} 10.96.0.20:9  / localhost:9`),
  );
});

test("a connection that the client keeps is one connection of the mesh; two clients share none", async (t) => {
  const s = await start(t);
  const seen = await serveSidecar(t, s.h);
  const line = `GET http://web/ HTTP/1.1\r\nHost: web\r\nProxy-Authorization: ${s.authorization(MESHED)}\r\n\r\n`;
  const client = dialProxy(s, line);
  let text = "";
  client.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const answers = (n: number) => eventually(`${n} answers`, () => assert.equal(text.split("sidecar 10").length - 1, n));
  await answers(1);
  client.write(line);
  await answers(2);
  assert.equal(seen.length, 1);
  // The other side ends the idle connection: the next request gets a new one.
  seen[0]?.destroy();
  client.write(line);
  await answers(3);
  assert.equal(seen.length, 2);
  client.destroy();
  await eventually("nothing is left", () => assert.ok(seen.every((socket) => socket.destroyed)));
});

test("CONNECT is a tunnel of bytes, with half-close", async (t) => {
  const s = await start(t);
  await s.h.echo("10.244.0.1", 5432, "db");
  await addService(s.h.api, "db", { clusterIP: "10.96.0.10", ports: [{ port: 5432 }] });
  await setEndpoints(s.h.api, "db", 5432, ["10.244.0.1"]);
  await eventually("the name", () => assert.equal(s.h.dns("db.a"), "10.96.0.10\n"));
  const client = dialProxy(
    s,
    `CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\nProxy-Authorization: ${s.authorization(PLAIN)}\r\n\r\nearly `,
  );
  client.end("late");
  assert.equal(await readAll(client), "HTTP/1.1 200 Connection established\r\n\r\ndb early late");
});

test("an upgraded connection passes bytes both ways; an offer of h2c is ignored", async (t) => {
  const s = await start(t);
  const head = (protocol: string) =>
    `GET http://web/ws HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n` +
    `Proxy-Authorization: ${s.authorization(PLAIN)}\r\n\r\n`;
  const client = dialProxy(s, `${head("echo")}first `);
  client.end("second");
  assert.match(await readAll(client), /^HTTP\/1.1 101 Switching Protocols\r\n[\s\S]*\r\n\r\nfirst second$/);
  assert.match(await readAll(dialProxy(s, head("h2c"))), /^HTTP\/1.1 200 OK\r\n[\s\S]*web GET \/ws web/);
});

test("an answer that never ends arrives piece by piece", async (t) => {
  const s = await start(t);
  const responses: ServerResponse[] = [];
  const server = createHttpServer((_, r) => void responses.push(r.writeHead(200).write("one") ? r : r));
  await serve(t, server, s.h.podNetwork.socketPath(PLAIN, 90));
  const client = dialProxy(
    s,
    `GET http://localhost:90/ HTTP/1.1\r\nHost: localhost:90\r\nProxy-Authorization: ${s.authorization(PLAIN)}\r\n\r\n`,
  );
  let text = "";
  client.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  await eventually("the first piece", () => assert.match(text, /one/));
  responses[0]?.write("two");
  await eventually("the second piece", () => assert.match(text, /two/));
  client.destroy();
  await eventually("the server hears of it", () => assert.ok(responses[0]?.destroyed));
});

const refused = [
  {
    name: "no credentials",
    ip: PLAIN,
    headers: { "proxy-authorization": "Basic eDp5" },
    url: "http://web/",
    status: 407,
  },
  { name: "another pod's token", ip: PLAIN, url: "http://web/", status: 407, as: MESHED },
  {
    name: "an unknown Service",
    ip: PLAIN,
    url: "http://no.a.svc/",
    status: 502,
    message: /no such name in the cluster/,
  },
  { name: "an unknown Service, meshed", ip: MESHED, url: "http://no.a.svc/", status: 502, message: /no such name/ },
  {
    name: "an unused virtual IP",
    ip: PLAIN,
    url: "http://10.96.9.9/",
    status: 502,
    message: /no Service at 10.96.9.9:80/,
  },
  {
    name: "a sidecar that is not there",
    ip: MESHED,
    url: "http://web/",
    status: 503,
    message: /sidecar does not serve/,
  },
  { name: "https in absolute-form", ip: PLAIN, url: "https://web/", status: 400, message: /CONNECT/ },
  { name: "origin-form", ip: PLAIN, url: "/", status: 400, message: /forward proxy/ },
] as const;
test("says why it refuses", async (t) => {
  const s = await start(t);
  for (const c of refused) {
    const name = "as" in c ? Buffer.from(s.authorization(c.as).slice(6), "base64").toString().split(":")[1] : undefined;
    const other =
      name === undefined
        ? {}
        : { "proxy-authorization": `Basic ${Buffer.from(`${PLAIN}:${name}`).toString("base64")}` };
    const headers = { ...("headers" in c ? c.headers : {}), ...other, host: "web" };
    const { status, body, headers: got } = await ask(s, c.ip, c.url, { headers });
    assert.equal(status, c.status, c.name);
    assert.match(String(got["proxy-status"]), /^argyle; error=/);
    if ("message" in c) assert.match(body, c.message);
    if (status === 407) assert.match(String(got["proxy-authenticate"]), /^Basic/);
  }
  const connectHead = `CONNECT no.a.svc:1 HTTP/1.1\r\nHost: x\r\nProxy-Authorization: ${s.authorization(PLAIN)}\r\n\r\n`;
  assert.match(
    await readAll(dialProxy(s, connectHead)),
    /^HTTP\/1.1 502 cannot reach no.a.svc:1: no such name in the cluster/,
  );
});

test("keeps port and key over a restart; the file is the user's alone; a pod that comes late is waited for", async (t) => {
  const s = await start(t);
  assert.equal(statSync(join(s.h.runDir, "http-proxy.json")).mode & 0o777, 0o600);
  const again = await s.h.restart();
  assert.deepEqual(readHttpProxyAddress(again.runDir), s.proxy);
  await eventually("it serves", async () => assert.equal((await ask(s, PLAIN, "http://web/")).status, 200));
  const early = ask(s, "10.244.0.50", "http://web/");
  await addPod(again.api, "late", "10.244.0.50");
  assert.equal((await early).status, 200);
});

const clients = [
  { program: "curl", args: ["-sS", "http://web/c"] },
  { program: "wget", args: ["-qO-", "http://web/c"] },
  { program: "python3", args: ["-c", "import urllib.request as u; print(u.urlopen('http://web/c').read().decode())"] },
];
for (const { program, args } of clients) {
  const path = (process.env.PATH ?? "").split(":").map((dir) => join(dir, program));
  test(`${program} understands the environment`, {
    skip: path.some(existsSync) ? false : "not installed",
  }, async (t) => {
    const s = await start(t);
    const env = { PATH: process.env.PATH, HOME: process.env.HOME, ...httpProxyEnvironment(s.proxy, PLAIN) };
    const output = await new Promise<string>((resolve) => {
      execFile(program, args, { env, timeout: 10_000 }, (error, stdout, stderr) =>
        resolve(stdout || stderr || String(error)),
      );
    });
    assert.match(output, /^web GET \/c web/);
  });
}
