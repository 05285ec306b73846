/** shipping and queue-master together over our broker: what is accepted is shipped, whatever happens to the broker or the worker in between. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createRabbitServer, type RabbitServer } from "../../../images/rabbitmq/server.ts";
import { type Asked, askService, assertRefused, badBodies, listen, until } from "../kit/test/stage.ts";
import { createQueueMasterService } from "../queue-master/service.ts";
import { type Shipment, startWorker, type Worker } from "../queue-master/worker.ts";
import { type Outbox, openOutbox } from "./outbox.ts";
import { createShippingService } from "./service.ts";

const QUEUE = "shipping-task";
const retry = { minMs: 5, maxMs: 20 };
const quiet = () => undefined;

interface Broker {
  readonly url: string;
  readonly rabbit: RabbitServer;
}

async function startBroker(t: TestContext, port = 0, dir?: string): Promise<Broker> {
  const rabbit = createRabbitServer(dir === undefined ? {} : { dir });
  t.after(() => rabbit.close());
  const bound = port === 0 ? await listen(rabbit.server) : port;
  if (port !== 0) await new Promise<void>((resolve) => rabbit.server.listen(port, "127.0.0.1", resolve));
  return { url: `amqp://guest:guest@127.0.0.1:${bound}`, rabbit };
}

async function startShipping(
  t: TestContext,
  url: string,
  capacity?: number,
): Promise<{ asked: Asked; outbox: Outbox }> {
  const outbox = openOutbox({ url, queue: QUEUE, log: quiet, retry, ...(capacity === undefined ? {} : { capacity }) });
  const asked = await askService(createShippingService(outbox, quiet));
  t.after(async () => {
    await asked.close();
    await outbox.close(0);
  });
  return { asked, outbox };
}

function startQueueMaster(t: TestContext, url: string, ship: (s: Shipment, again: boolean) => Promise<void>): Worker {
  const worker = startWorker({ url, queue: QUEUE, log: quiet, ship, retry, prefetch: 2 });
  t.after(() => worker.close(0));
  return worker;
}

const post = (asked: Asked, id: string) => asked.ask("POST", "/shipping", { id, name: "Eve" });

test("a shipment is echoed, queued, and worked off", async (t) => {
  const { url, rabbit } = await startBroker(t);
  const { asked, outbox } = await startShipping(t, url);
  const shipped: string[] = [];
  const worker = startQueueMaster(t, url, async ({ id, name }) => void shipped.push(`${id} ${name}`));
  await until(() => outbox.isConnected() && worker.isConnected());
  const { status, json } = await post(asked, "s1");
  assert.deepEqual([status, json], [201, { id: "s1", name: "Eve" }]);
  await until(() => shipped.length === 1 && outbox.pending() === 0);
  assert.deepEqual(shipped, ["s1 Eve"]);
  await until(() => rabbit.broker.queues.get(QUEUE)?.stats.ack === 1);
  const health = async (service: Asked) =>
    ((await service.ask("GET", "/health")).json as { health: { service: string; status: string }[] }).health.map(
      (each) => [each.service, each.status],
    );
  assert.deepEqual(await health(asked), [
    ["shipping", "OK"],
    ["shipping-rabbitmq", "OK"],
  ]);
  const master = await askService(createQueueMasterService(worker, quiet));
  assert.deepEqual(await health(master), [
    ["queue-master", "OK"],
    ["queue-master-rabbitmq", "OK"],
  ]);
  await master.close();
  assert.equal((await asked.ask("GET", "/shipping")).status, 200);
  assert.match((await asked.ask("GET", "/shipping/7")).text, /7/);
});

test("queue-master takes no requests but for its health", async (t) => {
  const { url } = await startBroker(t);
  const master = await askService(
    createQueueMasterService(
      startQueueMaster(t, url, async () => undefined),
      quiet,
    ),
  );
  t.after(() => master.close());
  for (const c of [
    { name: "an unknown path", request: ["GET", "/shipping-task"], status: 404 },
    { name: "work by the front door", request: ["POST", "/health", { id: "1", name: "x" }], status: 405 },
    { name: "SQL for a path", request: ["GET", `/${encodeURIComponent("' OR 1=1 --")}`], status: 404 },
  ] as const)
    await assertRefused(master, c);
});

test("accepts without a broker and says so in its health; everything is published when it comes", async (t) => {
  const first = await startBroker(t);
  const port = Number(new URL(first.url).port);
  await first.rabbit.close();
  const { asked, outbox } = await startShipping(t, first.url, 3);
  for (const id of ["1", "2", "3"]) assert.equal((await post(asked, id)).status, 201);
  assert.equal((await post(asked, "one too many")).status, 503);
  const { json } = await asked.ask("GET", "/health");
  assert.deepEqual(
    (json as { health: { status: string }[] }).health.map((each) => each.status),
    ["OK", "err"],
  );
  const shipped: string[] = [];
  await startBroker(t, port);
  startQueueMaster(t, first.url, async ({ id }) => void shipped.push(id));
  await until(() => outbox.pending() === 0 && shipped.length === 3);
  assert.deepEqual(shipped, ["1", "2", "3"]);
});

test("a broker with a volume goes down in the middle: nothing accepted is lost", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "ag-ship-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const first = await startBroker(t, 0, dir);
  const port = Number(new URL(first.url).port);
  const { asked, outbox } = await startShipping(t, first.url);
  await until(() => outbox.isConnected());
  const ids = Array.from({ length: 60 }, (_, i) => `s${i}`);
  for (const id of ids.slice(0, 20)) await post(asked, id);
  const closing = first.rabbit.close();
  for (const id of ids.slice(20, 40)) assert.equal((await post(asked, id)).status, 201);
  await closing;
  await startBroker(t, port, dir);
  for (const id of ids.slice(40)) await post(asked, id);
  const shipped = new Set<string>();
  startQueueMaster(t, first.url, async ({ id }) => void shipped.add(id));
  await until(() => outbox.pending() === 0 && shipped.size === 60);
  assert.deepEqual([...shipped].sort(), [...ids].sort());
});

test("what a worker had in hand when it died comes again, marked; what fails is tried again; what is no shipment is set aside", async (t) => {
  const { url, rabbit } = await startBroker(t);
  const { asked, outbox } = await startShipping(t, url);
  const held: string[] = [];
  const dying = startQueueMaster(t, url, ({ id }) => {
    held.push(id);
    return new Promise(() => undefined);
  });
  await until(() => outbox.isConnected() && dying.isConnected());
  await outbox.accept({ body: Buffer.from("{no shipment"), headers: {} });
  for (const id of ["1", "2"]) await post(asked, id);
  await until(() => held.length === 2 && dying.counts().unreadable === 1);
  const seen: string[] = [];
  let failures = 1;
  const next = startQueueMaster(t, url, async ({ id }, again) => {
    seen.push(`${id} ${again}`);
    if (failures-- > 0) throw new Error("no parcels left");
  });
  await until(() => next.isConnected());
  // As when the process is gone: its connection ends, nothing acknowledged.
  const connection = rabbit.connections().find((each) => [...each.channels.values()].some((c) => c.unackedCount > 0));
  connection?.shutDown();
  await until(() => next.counts().shipped === 2);
  assert.deepEqual([...new Set(seen)].sort(), ["1 true", "2 true"]);
  assert.equal(seen.length, 3);
});

for (const c of [
  ...badBodies("POST", "/shipping"),
  { name: "no id", request: ["POST", "/shipping", { name: "x" }], status: 400 },
  { name: "an id that is a number", request: ["POST", "/shipping", { id: 1, name: "x" }], status: 400 },
  {
    name: "a name longer than may be",
    request: ["POST", "/shipping", { id: "1", name: "x".repeat(201) }],
    status: 400,
  },
] as const) {
  test(`refuses ${c.name} with ${c.status}`, async (t) => {
    const { asked } = await startShipping(t, "amqp://127.0.0.1:1");
    await assertRefused(asked, c);
  });
}
