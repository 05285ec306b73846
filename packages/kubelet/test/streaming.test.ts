import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { createServer } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { eventually } from "@argyle/testkit";
import WebSocket, { createWebSocketStream } from "ws";
import { controlFrame, dataFrame } from "../src/streaming/spdy-connection.ts";
import { createHeaderCodec, SPDY_DICTIONARY } from "../src/streaming/spdy-headers.ts";
import { makeCertificates } from "./certificates.ts";
import { type Scope, startHarness } from "./harness.ts";

const SH = {
  name: "a",
  image: "host",
  command: ["/bin/sh", "-c", "echo early; while [ ! -e go ]; do sleep 0.02; done; echo late"],
};

async function serve(t: Scope) {
  const certificates = await makeCertificates();
  const h = await startHarness(t);
  const { port } = await h.start({ ...certificates.server, clientCa: certificates.ca });
  h.apply({ restartPolicy: "Never", containers: [{ ...SH, env: [{ name: "WHO", value: "me" }] }] });
  await eventually("running", () => assert.equal(h.pod()?.status?.phase, "Running"));
  return { h, port, tls: { ca: certificates.ca, ...certificates.client } };
}

type Served = Awaited<ReturnType<typeof serve>>;

const query = (parameters: Readonly<Record<string, string>>, command: readonly string[]) =>
  `${new URLSearchParams(parameters)}${command.map((word) => `&command=${encodeURIComponent(word)}`).join("")}`;

interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: { readonly status: string; readonly details?: { readonly causes: readonly { message: string }[] } };
}

/** One exec over WebSocket v5: sends the input, closes stdin, collects the channels until the server closes. */
function execOverWebSocket(
  s: Served,
  path: string,
  input: Buffer | undefined,
  begin?: (ws: WebSocket) => void,
): Promise<Outcome> {
  const ws = new WebSocket(`wss://127.0.0.1:${s.port}${path}`, ["v5.channel.k8s.io", "v4.channel.k8s.io"], s.tls);
  const channels = [0, 1, 2, 3].map(() => [] as Buffer[]);
  ws.on("open", () => {
    begin?.(ws);
    if (input === undefined) return;
    for (let at = 0; at < input.length; at += 32_768)
      ws.send(Buffer.concat([Buffer.from([0]), input.subarray(at, at + 32_768)]));
    ws.send(Buffer.from([255, 0]));
  });
  ws.on("message", (data) => {
    const bytes = Buffer.from(data as Buffer);
    channels[bytes[0] ?? 0]?.push(bytes.subarray(1));
  });
  return new Promise((resolve, reject) => {
    ws.on("error", reject);
    ws.on("close", () => {
      if (channels[3]?.length === 0) return reject(new Error("closed without a status"));
      const [, stdout = "", stderr = "", status = ""] = channels.map((chunks) => Buffer.concat(chunks).toString());
      resolve({ stdout, stderr, status: JSON.parse(status) });
    });
  });
}

const OUT = { output: "1", error: "1" };

test("exec over WebSocket: streams apart, environment, exit code", async (t) => {
  const s = await serve(t);
  const path = `/exec/ns/p/a?${query(OUT, ["sh", "-c", "echo $WHO; echo bad >&2; exit 9"])}`;
  const { stdout, stderr, status } = await execOverWebSocket(s, path, undefined);
  assert.deepEqual([stdout, stderr], ["me\n", "bad\n"]);
  assert.equal(status.status, "Failure");
  assert.equal(status.details?.causes[0]?.message, "9");
});

test("exec over WebSocket: 3 MB of stdin come back byte by byte, and stdin ends", async (t) => {
  const s = await serve(t);
  const input = Buffer.alloc(3_000_000, "0123456789abcdef");
  const outcome = await execOverWebSocket(s, `/exec/ns/p/a?${query({ ...OUT, input: "1" }, ["cat"])}`, input);
  assert.equal(outcome.stdout.length, input.length);
  assert.ok(outcome.stdout === input.toString());
  assert.equal(outcome.status.status, "Success");
});

test("exec with a tty has the client's window size and follows it", async (t) => {
  const s = await serve(t);
  const size = (ws: WebSocket, Width: number) =>
    ws.send(Buffer.concat([Buffer.from([4]), Buffer.from(JSON.stringify({ Width, Height: 40 }))]));
  const path = `/exec/ns/p/a?${query({ output: "1", input: "1", tty: "1" }, ["sh", "-c", "stty size; read x; stty size; exit 3"])}`;
  const { stdout, status } = await execOverWebSocket(s, path, undefined, (ws) => {
    size(ws, 100);
    ws.once("message", () => {
      size(ws, 77);
      setTimeout(() => ws.send(Buffer.concat([Buffer.from([0]), Buffer.from("\r")])), 50);
    });
  });
  assert.match(stdout, /^40 100\r\n[\s\S]*40 77\r\n$/);
  assert.equal(status.details?.causes[0]?.message, "3");
});

test("exec of what is not there says so, and a container that does not run is refused", async (t) => {
  const s = await serve(t);
  const { status } = await execOverWebSocket(s, `/exec/ns/p/a?${query(OUT, ["no-such-program"])}`, undefined);
  assert.equal(status.details?.causes[0]?.message, "127");
  await assert.rejects(execOverWebSocket(s, `/exec/ns/p/b?${query(OUT, ["true"])}`, undefined), /400/);
  await assert.rejects(execOverWebSocket(s, `/exec/ns/q/b?${query(OUT, ["true"])}`, undefined), /404/);
});

test("in an image that is named for its tool, a first word that is no program is the tool's argument", async (t) => {
  const certificates = await makeCertificates();
  const entry = { id: "tool", names: ["tool"], directory: "images/tool", bin: ["tool"] };
  const h = await startHarness(t, [entry]);
  mkdirSync(join(h.dir, "dist/images/tool/bin"), { recursive: true });
  writeFileSync(join(h.dir, "dist/images/tool/bin/tool.cjs"), "console.log(process.argv.slice(2).join())");
  const { port } = await h.start({ ...certificates.server, clientCa: certificates.ca });
  h.apply({ containers: [{ ...SH, image: "tool" }] });
  await eventually("running", () => assert.equal(h.pod()?.status?.phase, "Running"));
  const s = { h, port, tls: { ca: certificates.ca, ...certificates.client } };
  for (const { command, want } of [
    { command: ["load", "-c", "1"], want: "load,-c,1\n" },
    { command: ["/usr/bin/tool", "load"], want: "load\n" },
    { command: ["echo", "load"], want: "load\n" },
  ]) {
    const outcome = await execOverWebSocket(s, `/exec/ns/p/a?${query(OUT, command)}`, undefined);
    assert.equal(outcome.stdout, want);
  }
});

test("a process ends when its client goes away", async (t) => {
  const s = await serve(t);
  const path = `/exec/ns/p/a?${query(OUT, ["sh", "-c", "echo $$; exec sleep 100"])}`;
  const ws = new WebSocket(`wss://127.0.0.1:${s.port}${path}`, ["v4.channel.k8s.io"], s.tls);
  const pid = await new Promise<number>((resolve) => {
    ws.on("message", (data) => resolve(Number(Buffer.from(data as Buffer).subarray(1))));
  });
  ws.terminate();
  await eventually("it is gone", () => assert.throws(() => process.kill(pid, 0)));
});

test("attach shows the live output until the container ends", async (t) => {
  const s = await serve(t);
  const outcome = execOverWebSocket(s, "/attach/ns/p/a?output=1", undefined, () => {
    setTimeout(async () => {
      writeFileSync(join(s.h.stateDir, "pods", s.h.pod()?.metadata.uid ?? "", "a/go"), "");
    }, 150);
  });
  const { stdout, status } = await outcome;
  assert.equal(stdout, "late\n");
  assert.equal(status.status, "Success");
});

test("the SPDY dictionary is the protocol's", () => {
  let a = 1;
  let b = 0;
  for (const byte of SPDY_DICTIONARY) {
    a = (a + byte) % 65_521;
    b = (b + a) % 65_521;
  }
  assert.deepEqual([SPDY_DICTIONARY.length, (b * 65_536 + a).toString(16)], [1423, "e3c6a7c2"]);
});

/** The client's side of SPDY, as far as the tests need it. */
async function connectSpdy(s: Served, path: string, protocol: string) {
  const socket = await new Promise<Duplex>((resolve, reject) => {
    const headers = { connection: "Upgrade", upgrade: "SPDY/3.1", "x-stream-protocol-version": protocol };
    const options = { port: s.port, host: "127.0.0.1", method: "POST", path, headers, agent: false, ...s.tls };
    request(options)
      .on("upgrade", (_response: IncomingMessage, stream: Duplex) => resolve(stream))
      .on("error", reject)
      .end();
  });
  return spdyClient(socket);
}

function spdyClient(socket: Duplex) {
  const codec = createHeaderCodec();
  const received = new Map<number, Buffer[]>();
  const ended = new Set<number>();
  let buffered: Buffer = Buffer.alloc(0);
  let nextId = 1;
  const u32 = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  socket.on("data", (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk]);
    while (buffered.length >= 8 && buffered.length >= 8 + buffered.readUIntBE(5, 3)) {
      const length = buffered.readUIntBE(5, 3);
      const id = buffered.readUInt32BE(0);
      if (id < 0x80000000) {
        received.set(id, [...(received.get(id) ?? []), buffered.subarray(8, 8 + length)]);
        if (buffered[4] === 1) ended.add(id);
      }
      buffered = buffered.subarray(8 + length);
    }
  });
  socket.on("error", () => undefined);
  return {
    async open(headers: Readonly<Record<string, string>>): Promise<number> {
      const id = nextId;
      nextId += 2;
      socket.write(controlFrame(1, 0, Buffer.concat([u32(id), u32(0), Buffer.alloc(2), await codec.encode(headers)])));
      return id;
    },
    send: (id: number, body: Buffer) => {
      for (let at = 0; at < body.length; at += 30_000) socket.write(dataFrame(id, 0, body.subarray(at, at + 30_000)));
    },
    end: (id: number) => socket.write(dataFrame(id, 1, Buffer.alloc(0))),
    text: (id: number) => Buffer.concat(received.get(id) ?? []).toString(),
    hasEnded: (id: number) => ended.has(id),
    close: () => socket.destroy(),
  };
}

test("exec over SPDY: 3 MB through stdin without a window, and the exit code", async (t) => {
  const s = await serve(t);
  const path = `/exec/ns/p/a?${query({ ...OUT, input: "1" }, ["sh", "-c", "cat; echo done >&2; exit 5"])}`;
  const client = await connectSpdy(s, path, "v4.channel.k8s.io");
  const [error, stdin, stdout, stderr] = [
    await client.open({ streamtype: "error" }),
    await client.open({ streamtype: "stdin" }),
    await client.open({ streamtype: "stdout" }),
    await client.open({ streamtype: "stderr" }),
  ];
  const input = Buffer.alloc(3_000_000, "0123456789abcdef");
  client.send(stdin, input);
  client.end(stdin);
  await eventually("the status", () => assert.ok(client.hasEnded(error)));
  assert.equal(JSON.parse(client.text(error)).details.causes[0].message, "5");
  await eventually("the output", () => assert.equal(client.text(stdout).length, input.length));
  assert.equal(client.text(stderr), "done\n");
  client.close();
});

function listen(t: Scope, s: Served, port: number): Promise<void> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let got = "";
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk) => {
      got += String(chunk);
      if (got.endsWith("\n")) socket.write("LINE");
    });
    socket.on("end", () => socket.end(got.toUpperCase()));
  });
  t.after(() => void server.close());
  return new Promise((resolve) => server.listen(join(s.h.runDir, `10.244.0.2/${port}.sock`), resolve));
}

const carriers = [
  { name: "SPDY", connect: (s: Served) => connectSpdy(s, "/portForward/ns/p", "portforward.k8s.io") },
  {
    name: "SPDY inside WebSocket messages",
    async connect(s: Served) {
      const url = `wss://127.0.0.1:${s.port}/portForward/ns/p`;
      // ws refuses to offer a subprotocol with "/", so the header is written by hand.
      const ws = new WebSocket(url, { ...s.tls, headers: { "Sec-WebSocket-Protocol": "SPDY/3.1+portforward.k8s.io" } });
      ws.on("upgrade", (response) => {
        assert.equal(response.headers["sec-websocket-protocol"], "SPDY/3.1+portforward.k8s.io");
        delete response.headers["sec-websocket-protocol"];
      });
      await new Promise((resolve, reject) => ws.on("open", resolve).on("error", reject));
      return spdyClient(createWebSocketStream(ws));
    },
  },
];
for (const carrier of carriers) {
  test(`port-forward over ${carrier.name}: parallel connections, half-close, and a refused port`, async (t) => {
    const s = await serve(t);
    await listen(t, s, 80);
    const client = await carrier.connect(s);
    const open = async (requestid: string, port: string) => ({
      error: await client.open({ streamtype: "error", port, requestid }),
      data: await client.open({ streamtype: "data", port, requestid }),
    });
    const pairs = [await open("0", "80"), await open("1", "80"), await open("2", "80")];
    for (const [i, { data }] of pairs.entries()) {
      client.send(data, Buffer.from(`hello ${i}`));
      client.end(data);
    }
    for (const [i, { data, error }] of pairs.entries()) {
      await eventually("the answer", () => assert.equal(client.text(data), `HELLO ${i}`));
      await eventually("both ends", () => assert.ok(client.hasEnded(data) && client.hasEnded(error)));
    }
    const refused = await open("3", "81");
    await eventually("the reason", () => assert.match(client.text(refused.error), /failed to connect to port 81/));
    client.close();
  });
}

test("port-forward over WebSocket channels begins with the port and carries bytes", async (t) => {
  const s = await serve(t);
  await listen(t, s, 300);
  const url = `wss://127.0.0.1:${s.port}/portForward/ns/p?ports=300`;
  const ws = new WebSocket(url, ["v4.channel.k8s.io"], s.tls);
  const messages: Buffer[] = [];
  ws.on("message", (data) => messages.push(Buffer.from(data as Buffer)));
  await eventually("both hellos", () => assert.equal(messages.length, 2));
  assert.deepEqual(messages.map((m) => [...m]).sort(), [
    [0, 44, 1],
    [1, 44, 1],
  ]);
  ws.send(Buffer.concat([Buffer.from([0]), Buffer.from("x\n")]));
  await eventually("the answer", () => assert.equal(messages[2]?.toString(), "\0LINE"));
  ws.close();
});
