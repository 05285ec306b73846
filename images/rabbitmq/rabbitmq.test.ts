/** Conversations of amqplib with the broker. With RABBITMQ_PEER=1 and rabbitmq-server installed the same ones are held with it too. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createConnection, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type ChannelModel, connect } from "amqplib";
import { CONVERSATIONS, type Conversation, type Stage } from "./conversations.ts";
import { createRabbitServer, type RabbitOptions, type RabbitServer } from "./server.ts";

const PEER = "/usr/lib/rabbitmq/bin/rabbitmq-server";

for (const conversation of CONVERSATIONS) {
  test(conversation.name, async (t) => {
    const { url } = await startOurs(t);
    assert.deepEqual(await hold(conversation, url), conversation.lines);
  });
}

test("the conversations are those that RabbitMQ has", { skip: whyNoPeer() }, async (t) => {
  const url = await startPeer(t);
  for (const conversation of CONVERSATIONS) {
    assert.deepEqual(await hold(conversation, url), conversation.lines, conversation.name);
  }
});

test("durable queues and persistent messages survive kill and restart, in order, marked when somebody had them", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "ag-rmq-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const before = await startOurs(t, { dir });
  const client = await connect(before.url);
  const channel = await client.createConfirmChannel();
  await channel.assertExchange("orders", "topic", { durable: true });
  await channel.assertQueue("kept", { durable: true, arguments: { "x-max-length": 100 } });
  await channel.assertQueue("passing", { durable: false });
  await channel.bindQueue("kept", "orders", "order.#");
  for (const text of ["1", "2", "3"])
    channel.publish("orders", "order.new", Buffer.from(text), { persistent: true, headers: { n: text } });
  channel.publish("orders", "order.new", Buffer.from("transient"), { persistent: false });
  await channel.waitForConfirms();
  const first = await channel.get("kept");
  const second = await channel.get("kept");
  assert.ok(first !== false && second !== false);
  channel.ack(first);
  await channel.checkQueue("kept");
  // As after kill -9: a torn record at the end, nothing flushed or closed.
  const copy = mkdtempSync(join(tmpdir(), "ag-rmq-"));
  t.after(() => rmSync(copy, { recursive: true, force: true }));
  copyFileSync(join(dir, "argyle-broker.journal"), join(copy, "argyle-broker.journal"));
  appendFileSync(join(copy, "argyle-broker.journal"), Buffer.from([0, 0, 1, 0, 9, 9]));
  await client.close();

  for (const isSecondRestart of [false, true]) {
    const after = createRabbitServer({ dir: copy });
    after.server.listen(0, "127.0.0.1");
    await once(after.server, "listening");
    const again = await connect(`amqp://guest:guest@127.0.0.1:${(after.server.address() as AddressInfo).port}`);
    const reader = await again.createChannel();
    assert.deepEqual(
      after.broker.exchanges.get("orders")?.bindings.map((binding) => binding.routingKey),
      ["order.#"],
    );
    assert.equal(after.broker.queues.has("passing"), false);
    const got = [await reader.get("kept"), await reader.get("kept"), await reader.get("kept")];
    assert.deepEqual(
      got.map((each) => each !== false && [String(each.content), each.fields.redelivered, each.properties.headers?.n]),
      [["2", true, "2"], ["3", isSecondRestart, "3"], false],
    );
    await again.close();
    await after.close();
  }
});

test("a consumer that does not read holds up nobody, and gets everything when it reads again", async (t) => {
  const { url, rabbit } = await startOurs(t);
  const client = await connect(url);
  const channel = await client.createConfirmChannel();
  await channel.assertQueue("slow", { durable: false });
  const slow = await connect(url);
  let received = 0;
  const count = () => {
    received += 1;
  };
  await (await slow.createChannel()).consume("slow", () => count(), { noAck: true });
  const socket = (slow.connection as unknown as { stream: Socket }).stream;
  // As a program that is busy elsewhere: nobody takes bytes off the socket.
  const readers = socket.listeners("readable") as (() => void)[];
  socket.removeAllListeners("readable");
  socket.pause();
  const body = Buffer.alloc(200_000);
  for (let i = 0; i < 200; i += 1) channel.sendToQueue("slow", body);
  await channel.waitForConfirms();
  const waiting = rabbit.broker.queues.get("slow")?.readyCount ?? 0;
  assert.ok(waiting > 50, `only ${waiting} messages wait in the queue`);
  for (const reader of readers) socket.on("readable", reader);
  await until(() => received === 200);
  await slow.close();
  await client.close();
});

test("while memory is short publishers wait and are told so", async (t) => {
  const { url, rabbit } = await startOurs(t, { memoryLimitBytes: 50_000 });
  const client = await connect(url);
  const said: string[] = [];
  client.on("blocked", (reason) => said.push(`blocked: ${reason}`));
  client.on("unblocked", () => said.push("unblocked"));
  const channel = await client.createConfirmChannel();
  await channel.assertQueue("full", { durable: false });
  channel.sendToQueue("full", Buffer.alloc(60_000));
  await channel.waitForConfirms();
  await until(() => said.length === 1);
  let isConfirmed = false;
  channel.sendToQueue("full", Buffer.from("later"), {}, () => {
    isConfirmed = true;
  });
  const reader = await connect(url);
  const drainer = await reader.createChannel();
  assert.ok(await drainer.get("full", { noAck: true }));
  await until(() => isConfirmed);
  assert.deepEqual(said, ["blocked: low on memory", "unblocked"]);
  assert.equal(rabbit.isAlarmed(), false);
  await reader.close();
  await client.close();
});

test("closes a connection that says nothing for two heartbeats", async (t) => {
  let nowMs = 1000;
  const { url, rabbit } = await startOurs(t, { now: () => nowMs });
  const client = await connect(`${url}?heartbeat=30`);
  client.on("error", () => undefined);
  const closed = new Promise((resolve) => client.once("close", resolve));
  nowMs += 61_000;
  for (const connection of rabbit.connections()) connection.tick();
  await closed;
  assert.deepEqual(
    rabbit.connections().filter((each) => each.state !== "closed"),
    [],
  );
});

test("another protocol is answered with ours, and broken frames end the connection", async (t) => {
  const { url } = await startOurs(t);
  const port = Number(new URL(url).port);
  const talk = async (bytes: Buffer) => {
    const socket = createConnection({ port, host: "127.0.0.1" });
    const parts: Buffer[] = [];
    socket.on("data", (part) => parts.push(Buffer.from(part)));
    socket.write(bytes);
    await once(socket, "end");
    socket.destroy();
    return Buffer.concat(parts);
  };
  assert.deepEqual(await talk(Buffer.from("GET / HTTP/1.1\r\n\r\n")), Buffer.from("AMQP\0\0\x09\x01", "latin1"));
  const close = Buffer.from([1, 0, 0, 0, 0, 0, 4, 0, 10, 0, 51, 0xce]);
  const broken = Buffer.from([1, 0, 0, 0, 0, 0, 4, 0, 10, 0, 11, 0xcf]);
  const answer = await talk(Buffer.concat([Buffer.from("AMQP\0\0\x09\x01", "latin1"), broken, close]));
  assert.match(answer.toString("latin1"), /FRAME_ERROR - a frame without its end mark/);
});

async function until(isTrue: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!isTrue()) {
    assert.ok(performance.now() < deadline, "it did not happen within 5 s");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function whyNoPeer(): string | false {
  if (process.env.RABBITMQ_PEER !== "1") return "set RABBITMQ_PEER=1 to compare with rabbitmq-server";
  try {
    execFileSync("test", ["-x", PEER]);
    return false;
  } catch {
    return "rabbitmq-server is not installed";
  }
}

async function startOurs(t: TestContext, options: RabbitOptions = {}): Promise<{ url: string; rabbit: RabbitServer }> {
  const rabbit = createRabbitServer(options);
  t.after(() => rabbit.close());
  rabbit.server.listen(0, "127.0.0.1");
  await once(rabbit.server, "listening");
  return { url: `amqp://guest:guest@127.0.0.1:${(rabbit.server.address() as AddressInfo).port}`, rabbit };
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  return port;
}

async function startPeer(t: TestContext): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), "ag-rmq-"));
  const [port, distribution, epmd] = [await freePort(), await freePort(), await freePort()];
  const env = {
    PATH: process.env.PATH,
    HOME: dir,
    ERL_EPMD_PORT: String(epmd),
    ERL_EPMD_ADDRESS: "127.0.0.1",
    RABBITMQ_NODENAME: `peer${process.pid}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: "127.0.0.1",
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_MNESIA_BASE: join(dir, "mnesia"),
    RABBITMQ_LOG_BASE: join(dir, "log"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, "plugins"),
    RABBITMQ_CONFIG_FILE: join(dir, "none"),
  };
  // The node's name server, ours so that it ends with the test; the node would leave one behind.
  const names = spawn("epmd", ["-address", "127.0.0.1", "-port", String(epmd)], { env, stdio: "ignore" });
  const child = spawn(PEER, [], { env, cwd: dir, detached: true, stdio: ["ignore", "pipe", "ignore"] });
  t.after(async () => {
    const ended = once(child, "exit");
    process.kill(-(child.pid ?? 0), "SIGKILL");
    await ended;
    names.kill();
    rmSync(dir, { recursive: true, force: true });
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout.on("data", (chunk) => /completed with/.test(String(chunk)) && resolve());
    child.once("exit", (code) => reject(new Error(`rabbitmq-server ended with ${code}`)));
  });
  return `amqp://guest:guest@127.0.0.1:${port}`;
}

async function hold(conversation: Conversation, url: string): Promise<readonly string[]> {
  const said: string[] = [];
  const waiting = new Set<() => void>();
  const open: ChannelModel[] = [];
  const another = async () => {
    const connection = await connect(url);
    connection.on("error", () => undefined);
    open.push(connection);
    return connection;
  };
  const own = await another();
  const say = (line: string) => {
    said.push(line);
    for (const wake of waiting) wake();
  };
  const stage: Stage = {
    url,
    say,
    connect: another,
    channel: async () => {
      const channel = await own.createChannel();
      channel.on("error", () => undefined);
      return channel;
    },
    confirmChannel: () => own.createConfirmChannel(),
    failure: (work) =>
      work.then(
        () => say("no failure"),
        (error: Error) => say(error.message),
      ),
    lines: (count) =>
      new Promise((resolve) => {
        const check = () => {
          if (said.length < count) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
  };
  try {
    await conversation.hold(stage);
  } finally {
    for (const connection of open) await connection.close().catch(() => undefined);
  }
  return said;
}
