/** Conversations of amqplib with the broker. With RABBITMQ_PEER=1 and rabbitmq-server installed the same ones are held with it too. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
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
  const child = spawn(PEER, [], { env, cwd: dir, detached: true, stdio: ["ignore", "pipe", "ignore"] });
  t.after(async () => {
    const ended = once(child, "exit");
    process.kill(-(child.pid ?? 0), "SIGKILL");
    await ended;
    // The node's name server is a daemon of its own port.
    execFileSync("epmd", ["-kill"], { env, stdio: "ignore" });
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
