/** Customers against a small server that behaves as told, and once against the whole shop. */
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { startShop } from "../../demo/sock-shop/front-end/test/shop.ts";
import { createStatistics, type Report } from "./statistics.ts";
import { formatSummary } from "./summary.ts";
import { type SwarmOptions, startSwarm } from "./swarm.ts";
import { createWebServer } from "./web-server.ts";

declare const __ARGYLE_ROOT__: string;

const OPTIONS: Omit<SwarmOptions, "host"> = {
  users: 1,
  spawnRate: 100,
  thinkMs: [0, 0],
  runTimeMs: undefined,
  maxRequests: undefined,
  timeoutMs: 2000,
  account: { username: "user", password: "password" },
};

async function serve(t: TestContext, handle: (incoming: IncomingMessage, outgoing: ServerResponse) => void) {
  const server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function runSwarm(options: SwarmOptions): Promise<Report> {
  const statistics = createStatistics(() => performance.now());
  const swarm = startSwarm(options, statistics);
  await swarm.done;
  await swarm.stop();
  return statistics.report();
}

test("a registration whose answer is lost is tried under another name: the first may be taken now", async (t) => {
  const names: string[] = [];
  const host = await serve(t, (incoming, outgoing) => {
    if (incoming.url !== "/register") return void outgoing.end("{}");
    let text = "";
    incoming.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    incoming.on("end", () => {
      names.push((JSON.parse(text) as { readonly username: string }).username);
      if (names.length === 1) incoming.socket.destroy();
      else outgoing.end('{"id":"1"}');
    });
  });
  await runSwarm({ ...OPTIONS, account: undefined, host, maxRequests: 4 });
  assert.equal(names.length, 2);
  assert.notEqual(names[0], names[1]);
});

test("walks the journey of the original, in its order, with the session's cookie", async (t) => {
  const seen: string[] = [];
  const host = await serve(t, (incoming, outgoing) => {
    seen.push(`${incoming.method} ${incoming.url} ${incoming.headers.cookie ?? "-"}`);
    outgoing.setHeader("set-cookie", "md.sid=1; Path=/");
    outgoing.end(incoming.url === "/catalogue" ? '[{"id":"a b"}]' : "");
  });
  const report = await runSwarm({ ...OPTIONS, host, maxRequests: 9 });
  assert.deepEqual(seen, [
    "GET /catalogue -",
    "GET / md.sid=1",
    "GET /login md.sid=1",
    "GET /category.html md.sid=1",
    "GET /detail.html?id=a%20b md.sid=1",
    "DELETE /cart md.sid=1",
    "POST /cart md.sid=1",
    "GET /basket.html md.sid=1",
    "POST /orders md.sid=1",
  ]);
  assert.equal(report.rows.length, 9);
  assert.equal(report.total.failures, 0);
});

test("a stall is measured from the schedule: no coordinated omission", async (t) => {
  const STALL_MS = 300;
  const THINK_MS = 10;
  let requests = 0;
  const host = await serve(t, (_, outgoing) => {
    requests += 1;
    setTimeout(() => outgoing.end("[]"), requests === 5 ? STALL_MS : 0);
  });
  const { total } = await runSwarm({ ...OPTIONS, host, thinkMs: [THINK_MS, THINK_MS], maxRequests: 60 });
  assert.ok(total.maxMs >= STALL_MS - 5, `max ${total.maxMs}`);
  // One request was slow to serve. But some thirty were due while it stalled, and every second customer among them waited long.
  assert.ok(total.p90 > STALL_MS / 2, `p90 ${total.p90}`);
  assert.ok(total.serviceP99 >= STALL_MS - 5 && total.averageMs > 40, `average ${total.averageMs}`);
});

test("failures are counted by what happened: a status, a cut connection, a deadline", async (t) => {
  const host = await serve(t, (incoming, outgoing) => {
    if (incoming.url === "/catalogue") outgoing.writeHead(503).end();
    else if (incoming.url === "/") incoming.socket.destroy();
  });
  const report = await runSwarm({ ...OPTIONS, host, timeoutMs: 50, maxRequests: 3 });
  assert.deepEqual(
    report.failures.map(({ name, failure }) => `${name}: ${failure}`),
    ["GET /catalogue: status 503", "GET /: socket hang up", "GET /login: no answer within 50 ms"],
  );
  const text = formatSummary(report, 1);
  assert.match(text, /^GET \/catalogue +1 +1 /m);
  assert.match(text, /1 × GET \/: socket hang up/);
});

test("customers shop in the real shop with accounts of their own, nothing fails, and the accounts are gone after", async () => {
  const shop = await startShop(__ARGYLE_ROOT__);
  try {
    const report = await runSwarm({ ...OPTIONS, host: shop.v1, users: 3, account: undefined, maxRequests: 90 });
    assert.deepEqual(report.failures, []);
    assert.equal(report.total.requests, 90);
    assert.ok(report.rows.some(({ name, requests }) => name === "POST /orders" && requests >= 3));
    const deleted = shop.logs.filter((line) => line.includes('"DELETE /customers/') && line.includes('"status":200'));
    // Once at the front-end and once at the user service, for each customer.
    assert.equal(deleted.length, 6);
  } finally {
    await shop.stop();
  }
});

test("the live page, its numbers, and changing the number of customers", async (t) => {
  const host = await serve(t, (_, outgoing) => void outgoing.end("[]"));
  const statistics = createStatistics(() => performance.now());
  const swarm = startSwarm({ ...OPTIONS, host, thinkMs: [5, 5] }, statistics);
  const web = createWebServer(host, statistics, swarm);
  await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
  t.after(async () => {
    web.closeAllConnections();
    web.close();
    await swarm.stop();
  });
  const url = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
  assert.match(await (await fetch(url)).text(), /<title>Load test/);
  const change = (body: string, type = "application/json") =>
    fetch(`${url}/users`, { method: "POST", headers: { "content-type": type }, body });
  assert.equal((await change('{"users":4,"spawnRate":1000}')).status, 200);
  const usersOf = async () => ((await (await fetch(`${url}/stats.json`)).json()) as { users: number }).users;
  while ((await usersOf()) !== 4);
  assert.equal((await change('{"users":0}')).status, 200);
  assert.equal(await usersOf(), 0);
  for (const [body, type] of [
    ['{"users":-1}', undefined],
    ["{", undefined],
    ["users=1", "text/plain"],
    [`{"users":${"9".repeat(2000)}}`, undefined],
  ] as const)
    assert.equal((await change(body, type)).status, 400, body.slice(0, 20));
  assert.match(await (await fetch(`${url}/summary.txt`)).text(), /GET \/catalogue/);
});
