/** The client against our Redis server, and its reader against bytes in any pieces. */
import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { test } from "node:test";
import { createRedisServer } from "../../../../images/redis/server.ts";
import { createRedisClient, createReplyReader } from "./redis-client.ts";
import { createRedisSessions } from "./redis-store.ts";

async function startRedis(port = 0) {
  const redis = createRedisServer({ port });
  await new Promise<void>((resolve) => redis.server.listen(port, "127.0.0.1", () => resolve()));
  return { redis, port: (redis.server.address() as AddressInfo).port };
}

test("reads every reply whole, byte by byte, and several at once", () => {
  const bytes = Buffer.from("+OK\r\n:42\r\n$-1\r\n$5\r\näöx\r\n$0\r\n\r\n-ERR no\r\n");
  const expected = ["OK", 42, null, "äöx", "", "ERR no"];
  for (const size of [1, 3, bytes.length]) {
    const replies: unknown[] = [];
    const read = createReplyReader((reply) => replies.push(reply instanceof Error ? reply.message : reply));
    for (let at = 0; at < bytes.length; at += size) read(bytes.subarray(at, at + size));
    assert.deepEqual(replies, expected, `${size} bytes at a time`);
  }
  assert.throws(() => createReplyReader(() => undefined)(Buffer.from("!3\r\n")), /unknown type/);
});

test("sessions are kept, expire and are removed; what is no session is none", async () => {
  const { redis, port } = await startRedis();
  const sessions = createRedisSessions(`redis://127.0.0.1:${port}`);
  const client = createRedisClient({ host: "127.0.0.1", port });
  const session = { customer: { id: "1", firstName: "Zoë", lastName: '"x"\r\n', username: "z" } };
  await sessions.save("a", session, 60);
  assert.deepEqual(await sessions.find("a"), session);
  assert.equal(await client.command("TTL", "sess:a"), 60);
  await sessions.remove("a");
  assert.equal(await sessions.find("a"), undefined);
  for (const text of ["{", "[]", "7"]) {
    await client.command("SET", "sess:b", text);
    assert.equal(await sessions.find("b"), undefined);
  }
  await assert.rejects(client.command("NOSUCH"), /unknown command/);
  client.close();
  await sessions.close();
  await redis.close();
});

test("commands fail while Redis is away, at once, and work when it is back", async () => {
  const { redis, port } = await startRedis();
  const client = createRedisClient({ host: "127.0.0.1", port });
  assert.equal(await client.command("PING"), "PONG");
  await redis.close();
  await assert.rejects(client.command("PING"));
  await assert.rejects(client.command("PING"), /out of reach|lost/);
  const again = await startRedis(port);
  const end = performance.now() + 5000;
  let reply: unknown;
  while (reply !== "PONG" && performance.now() < end) {
    reply = await client.command("PING").catch(() => new Promise((resolve) => setTimeout(resolve, 5)));
  }
  assert.equal(reply, "PONG");
  client.close();
  await again.redis.close();
});

test("a Redis that accepts and never answers costs a deadline, not for ever", async () => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", () => resolve()));
  const client = createRedisClient({ host: "127.0.0.1", port: (silent.address() as AddressInfo).port, timeoutMs: 30 });
  await assert.rejects(client.command("PING"), /lost/);
  silent.close();
});
