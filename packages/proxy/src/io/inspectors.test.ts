import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import { createFakeClock } from "@argyle/testkit";
import { parseClientHello } from "./client-hello.ts";
import { sniffHttp } from "./sniff-http.ts";
import { createTimerWheel, type TimerOwner, WheelEntry } from "./timer-wheel.ts";

async function realClientHello(): Promise<Buffer> {
  return await new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.once("data", (bytes) => {
        resolve(bytes);
        socket.destroy();
        server.close();
      });
    });
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      const socket = connect({ port, host: "127.0.0.1" });
      const tls = connectTls({ socket, servername: "outbound_.80_._.catalogue", ALPNProtocols: ["istio", "h2"] });
      tls.on("error", () => undefined);
    });
  });
}

test("reads server name and ALPN of a real ClientHello, and needs all of it", async () => {
  const hello = await realClientHello();
  assert.deepEqual(parseClientHello(hello), {
    kind: "hello",
    serverName: "outbound_.80_._.catalogue",
    alpn: ["istio", "h2"],
  });
  for (let i = 0; i < hello.length; i++)
    assert.equal(parseClientHello(hello.subarray(0, i)).kind, "need-more", `${i} bytes`);
});

test("other bytes are not TLS, and cut lengths do not throw", () => {
  assert.equal(parseClientHello(Buffer.from("GET / HTTP/1.1\r\n")).kind, "not-tls");
  assert.equal(parseClientHello(Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 9])).kind, "not-tls");
});

for (const [text, want] of [
  ["GET / HTTP/1.1\r\n", "http/1.1"],
  ["POST /x HTTP/1.0\r\n", "http/1.0"],
  ["GET / HT", "need-more"],
  ["G", "need-more"],
  ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "h2c"],
  ["PRI * HT", "need-more"],
  ["*1\r\n$4\r\nPING\r\n", "other"],
  ["\u0000\u0000\u0000\u0008\u0004", "other"],
  ["SSH-2.0-OpenSSH\r\n", "other"],
] as const)
  test(`sniffs ${JSON.stringify(text)} as ${want}`, () => assert.equal(sniffHttp(Buffer.from(text, "latin1")), want));

test("the wheel fires on time, in any order, and cancels", async () => {
  const clock = createFakeClock();
  const wheel = createTimerWheel(clock);
  const fired: string[] = [];
  const entry = (name: string) => {
    const owner: TimerOwner = { onTimer: () => void fired.push(name) };
    return new WheelEntry(owner);
  };
  const far = entry("far");
  const near = entry("near");
  const gone = entry("gone");
  wheel.arm(far, 25_000);
  wheel.arm(near, 35);
  wheel.arm(gone, 20);
  wheel.cancel(gone);
  await clock.advance(30);
  assert.deepEqual(fired, []);
  await clock.advance(20);
  assert.deepEqual(fired, ["near"]);
  await clock.advance(24_900);
  assert.deepEqual(fired, ["near"]);
  await clock.advance(100);
  assert.deepEqual(fired, ["near", "far"]);
  assert.equal(clock.pending(), 0, "an empty wheel must not tick");
});
