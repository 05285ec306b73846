/** Conversations with the server, as data. Where a real redis-server is installed, the same conversations are held with it and every byte compared. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createRedisServer } from "./server.ts";

/** One conversation: inline commands, or raw bytes where a line starts with `raw:` (JSON-escaped). */
const CONVERSATIONS: readonly { readonly name: string; readonly lines: readonly string[] }[] = [
  {
    name: "strings",
    lines: [
      "SET a 1",
      "GET a",
      "GET none",
      "SETNX a 2",
      "SETNX b 2",
      "GETSET a 3",
      "APPEND a 45",
      "STRLEN a",
      "GETRANGE a 0 -2",
      "SETRANGE a 5 x",
      "GET a",
      "GETDEL a",
      "GET a",
      "MSET x 1 y 2",
      "MGET x y z",
      "MSETNX x 1 w 2",
    ],
  },
  {
    name: "set options",
    lines: [
      "SET k v NX",
      "SET k w NX",
      "SET k w XX",
      "SET k z GET",
      "SET k v EX 0",
      "SET k v EX abc",
      "SET k v NX XX",
      "SET k v EX 100",
      "TTL k",
      "SET k v KEEPTTL",
      "TTL k",
      "SET k v",
      "TTL k",
      "SETEX k 0 v",
      "SETEX k 5 v",
      "GETEX k PERSIST",
      "TTL k",
    ],
  },
  {
    name: "counters",
    lines: [
      "INCR n",
      "INCRBY n 41",
      "DECR n",
      "DECRBY n 100",
      "SET n abc",
      "INCR n",
      "SET n 9223372036854775807",
      "INCR n",
      "SET f 10.5",
      "INCRBYFLOAT f 0.1",
      "INCRBYFLOAT f abc",
    ],
  },
  {
    name: "expiry",
    lines: [
      "SET k v",
      "EXPIRE k 100",
      "TTL k",
      "PERSIST k",
      "TTL k",
      "PERSIST k",
      "EXPIRE none 1",
      "TTL none",
      "EXPIRE k 100 XX",
      "EXPIRE k 100 NX",
      "EXPIRE k 50 GT",
      "EXPIRE k 50 LT",
      "TTL k",
      "EXPIRE k -1",
      "EXISTS k",
    ],
  },
  {
    name: "hashes",
    lines: [
      "HSET h a 1 b 2",
      "HSET h a 3",
      "HGET h a",
      "HGET h none",
      "HMGET h a none b",
      "HGETALL h",
      "HLEN h",
      "HEXISTS h a",
      "HKEYS h",
      "HVALS h",
      "HINCRBY h a 4",
      "HINCRBY h b x",
      "HDEL h a b",
      "EXISTS h",
      "HSET h a",
      "HGETALL none",
      "HMSET h x 1",
      "HSETNX h x 2",
      "HSTRLEN h x",
    ],
  },
  {
    name: "lists",
    lines: [
      "RPUSH l a b c",
      "LPUSH l z",
      "LRANGE l 0 -1",
      "LLEN l",
      "LINDEX l 0",
      "LINDEX l -1",
      "LINDEX l 9",
      "LPOP l",
      "RPOP l",
      "LPOP l 5",
      "LPOP l",
      "LPOP l 1",
      "LPUSHX l a",
      "RPUSH l a b a c a",
      "LREM l 2 a",
      "LRANGE l 0 -1",
      "LREM l -1 a",
      "LSET l 0 q",
      "LSET l 9 q",
      "LTRIM l 0 0",
      "LRANGE l 0 -1",
    ],
  },
  {
    name: "sets",
    lines: [
      "SADD s a",
      "SADD s a b",
      "SISMEMBER s a",
      "SISMEMBER s q",
      "SCARD s",
      "SREM s a",
      "SMEMBERS s",
      "SREM s b",
      "EXISTS s",
      "SMISMEMBER s a b",
    ],
  },
  {
    name: "sorted sets",
    lines: [
      "ZADD z 1 a 2 b",
      "ZADD z 3 a",
      "ZSCORE z a",
      "ZRANGE z 0 -1",
      "ZRANGE z 0 -1 WITHSCORES",
      "ZCARD z",
      "ZRANK z a",
      "ZREM z a b",
      "EXISTS z",
      "ZADD z x a",
    ],
  },
  {
    name: "keys of any type",
    lines: [
      "SET a 1",
      "TYPE a",
      "TYPE none",
      "RPUSH l x",
      "TYPE l",
      "EXISTS a l none",
      "DEL a l none",
      "RENAME none x",
      "SET a 1",
      "RENAME a b",
      "GET b",
      "KEYS *",
      "KEYS b?",
      "KEYS [a-c]",
      "DBSIZE",
      "SCAN 0",
      "SCAN 0 MATCH b*",
      "FLUSHALL",
      "DBSIZE",
    ],
  },
  {
    name: "wrong types",
    lines: ["SET a 1", "LPUSH a x", "HGET a x", "SADD a x", "RPUSH l x", "GET l", "INCR l", "MGET a l"],
  },
  {
    name: "errors",
    lines: [
      "NOSUCH",
      "NOSUCH a b",
      "GET",
      "GET a b",
      "SET a",
      "EXPIRE a",
      "INCRBY a 1.5",
      "SCAN x",
      "SELECT 99999",
      "SELECT x",
      "CONFIG GET",
      "HELLO 9",
      "AUTH x",
    ],
  },
  {
    name: "transactions",
    lines: [
      "MULTI",
      "SET a 1",
      "INCR a",
      "GET a",
      "EXEC",
      "EXEC",
      "DISCARD",
      "MULTI",
      "MULTI",
      "DISCARD",
      "MULTI",
      "NOSUCH",
      "SET a 5",
      "EXEC",
      "GET a",
      "MULTI",
      "INCR a",
      "LPUSH a x",
      "EXEC",
      "WATCH a",
      "SET a 9",
      "MULTI",
      "GET a",
      "EXEC",
      "WATCH a",
      "MULTI",
      "GET a",
      "EXEC",
    ],
  },
  {
    name: "publish and subscribe",
    lines: [
      "PUBLISH c hi",
      "SUBSCRIBE c d",
      "PING",
      "GET a",
      "UNSUBSCRIBE c",
      "UNSUBSCRIBE",
      "PING",
      "PSUBSCRIBE c*",
      "PUNSUBSCRIBE",
    ],
  },
  {
    name: "rate limiting as ratelimit does it",
    lines: [
      "INCRBY domain_key_60 1",
      "EXPIRE domain_key_60 60",
      "INCRBY domain_key_60 1",
      "EXPIRE domain_key_60 60",
      "TTL domain_key_60",
    ],
  },
  {
    name: "inline quoting and binary safety",
    lines: [
      'SET a "x\\r\\ny"',
      "GET a",
      "SET b 'it is'",
      "GET b",
      "STRLEN a",
      "raw:*3\\r\\n$3\\r\\nSET\\r\\n$1\\r\\nc\\r\\n$4\\r\\n\\u0000\\u00ff\\r\\n\\r\\n",
      "GET c",
    ],
  },
  {
    name: "RESP3",
    lines: [
      "HELLO 3 SETNAME x",
      "CLIENT GETNAME",
      "HSET h a 1",
      "HGETALL h",
      "SADD s a",
      "SMEMBERS s",
      "GET none",
      "ZADD z 1.5 a",
      "ZSCORE z a",
      "ZRANGE z 0 -1 WITHSCORES",
      "LPOP none 1",
    ],
  },
  { name: "protocol errors", lines: ["raw:*1\\r\\n!3\\r\\n"] },
  { name: "a bulk length that is too large", lines: ["raw:*1\\r\\n$99999999999\\r\\n"] },
];

const hasRedis = (() => {
  try {
    execFileSync("redis-server", ["--version"]);
    return true;
  } catch {
    return false;
  }
})();

/** HELLO answers with the id of the connection and the version of the server: not a matter of behaviour. */
const withoutIdentity = (text: string) =>
  text.replace(/(\$7\r\nversion\r\n\$)\d+\r\n[\d.]+/, "$1").replace(/(\$2\r\nid\r\n):\d+/, "$1");

for (const { name, lines } of CONVERSATIONS) {
  test(`${name}: as redis-server, byte by byte`, {
    skip: hasRedis ? false : "redis-server is not installed",
  }, async (t) => {
    const peer = await startRedis(t);
    const ours = await startOurs(t);
    assert.deepEqual(await hold(lines, ours), (await hold(lines, peer)).map(withoutIdentity));
  });
}

test("answers commands that arrive byte by byte and many at once", async (t) => {
  const socket = await connect(await startOurs(t));
  t.after(() => socket.destroy());
  for (const byte of "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\nhi\r\n") socket.write(byte);
  socket.write("GET a\r\nINCR n\r\n*1\r\n$4\r\nPING\r\n");
  assert.equal(
    await readFor(socket, "+OK\r\n$2\r\nhi\r\n:1\r\n+PONG\r\n".length),
    "+OK\r\n$2\r\nhi\r\n:1\r\n+PONG\r\n",
  );
});

test("delivers what is published to a subscriber", async (t) => {
  const at = await startOurs(t);
  const [subscriber, publisher] = [await connect(at), await connect(at)];
  t.after(() => [subscriber, publisher].map((s) => s.destroy()));
  subscriber.write("SUBSCRIBE news\r\n");
  assert.match(await readFor(subscriber, 20), /subscribe/);
  publisher.write("PUBLISH news hello\r\n");
  assert.match(await readFor(subscriber, 20), /message\r\n\$4\r\nnews\r\n\$5\r\nhello/);
});

test("keeps its data over a restart, expiries included, and drops a record that was cut off", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "ag-redis-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const first = createRedisServer({ port: 0, dir });
  const at = await listen(first);
  await hold(["SET a 1", "EXPIRE a 100", "HSET h x 1", "RPUSH l a b", "INCR n", "INCR n", "SET gone 1 PX 1"], at);
  await first.close();
  const { appendFileSync } = await import("node:fs");
  appendFileSync(join(dir, "appendonly.aof"), "*3\r\n$3\r\nSET\r\n$1\r\nz\r\n$5\r\nha");
  const second = createRedisServer({ port: 0, dir });
  t.after(() => second.close());
  const answers = await hold(
    ["GET a", "TTL a", "HGET h x", "LRANGE l 0 -1", "GET n", "GET gone", "GET z"],
    await listen(second),
  );
  assert.deepEqual(answers, [
    "$1\r\n1\r\n",
    ":100\r\n",
    "$1\r\n1\r\n",
    "*2\r\n$1\r\na\r\n$1\r\nb\r\n",
    "$1\r\n2\r\n",
    "$-1\r\n",
    "$-1\r\n",
  ]);
});

interface Scope {
  after(fn: () => unknown): void;
}

async function startOurs(t: Scope): Promise<number> {
  const redis = createRedisServer({ port: 0 });
  t.after(() => redis.close());
  return listen(redis);
}

function listen(redis: ReturnType<typeof createRedisServer>): Promise<number> {
  return new Promise((resolve) =>
    redis.server.listen(0, "127.0.0.1", () => resolve((redis.server.address() as AddressInfo).port)),
  );
}

async function startRedis(t: Scope): Promise<number> {
  const probe = createRedisServer({ port: 0 });
  const port = await listen(probe);
  await probe.close();
  const child = spawn(
    "redis-server",
    ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  t.after(() => child.kill("SIGKILL"));
  await new Promise<void>((resolve) =>
    child.stdout.on("data", (chunk) => /Ready to accept/.test(String(chunk)) && resolve()),
  );
  return port;
}

function connect(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ port, host: "127.0.0.1" }, () => resolve(socket.setEncoding("latin1")));
    socket.once("error", reject);
  });
}

/** Sends the lines one by one and collects each answer (or "closed"). */
async function hold(lines: readonly string[], port: number): Promise<readonly string[]> {
  const socket = await connect(port);
  const answers: string[] = [];
  for (const line of lines) {
    socket.write(line.startsWith("raw:") ? JSON.parse(`"${line.slice(4)}"`) : `${line}\r\n`, "latin1");
    answers.push(withoutIdentity(await answer(socket)));
  }
  socket.destroy();
  return answers;
}

/** Everything that arrives until the peer is silent for a moment: an answer of any length, whoever sends it. */
function answer(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    let quiet: NodeJS.Timeout | undefined;
    const finish = () => {
      clearTimeout(quiet);
      socket.off("data", onData);
      socket.off("end", onEnd);
      resolve(text);
    };
    const onData = (chunk: Buffer | string) => {
      text += String(chunk);
      clearTimeout(quiet);
      quiet = setTimeout(finish, 15);
    };
    const onEnd = () => {
      text += "closed";
      finish();
    };
    socket.on("data", onData);
    socket.on("end", onEnd);
  });
}

function readFor(socket: Socket, length: number): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const onData = (chunk: Buffer | string) => {
      text += String(chunk);
      if (text.length < length) return;
      socket.off("data", onData);
      resolve(text);
    };
    socket.on("data", onData);
  });
}
