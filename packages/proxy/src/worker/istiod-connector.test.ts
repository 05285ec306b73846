import assert from "node:assert/strict";
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { silentLogger, systemClock } from "@argyle/core";
import { createPodNetwork, listenOnPath } from "@argyle/pod-network";
import { createFakeClock, eventually, tempDir } from "@argyle/testkit";
import { createIstiodConnector } from "./istiod-connector.ts";

test("relays to istiod through sockets of its own directory, which begins empty and ends with it", async (t) => {
  const runDir = tempDir(t);
  const network = createPodNetwork({ runDir });
  const istiod = await listenOnPath(network.socketPath("10.244.0.2", 15_012), (socket) => {
    socket.on("end", () => socket.end());
    socket.on("data", (chunk) => socket.write(`istiod ${chunk.toString("latin1")}`));
  });
  t.after(() => istiod.close());
  const directory = join(runDir, "workers/sidecars/istiod");
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "stale.sock"), "");
  const connector = createIstiodConnector({ network, clock: systemClock, log: silentLogger, directory });
  assert.equal(existsSync(join(directory, "stale.sock")), false);
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  const target = await connector.connect("10.244.0.2:15012", "default");
  assert.ok(target.startsWith(`unix:${directory}/`), target);
  assert.equal(await connector.connect("10.244.0.2:15012", "default"), target);
  const socket = connect({ path: target.slice("unix:".length) });
  t.after(() => socket.destroy());
  let seen = "";
  socket.on("data", (chunk) => {
    seen += chunk.toString("latin1");
  });
  socket.write("hello");
  await eventually("answer", () => assert.equal(seen, "istiod hello"));
  socket.destroy();
  connector.close();
  assert.equal(existsSync(directory), false);
});

test("whoever asks while nothing listens waits for one dialer, which finds istiod in a moment, also the second time", async (t) => {
  const runDir = tempDir(t);
  const real = createPodNetwork({ runDir });
  let dials = 0;
  const network = {
    ...real,
    dial: (options: Parameters<typeof real.dial>[0]) => {
      dials += 1;
      return real.dial(options);
    },
  };
  const clock = createFakeClock();
  const connector = createIstiodConnector({ network, clock, log: silentLogger, directory: join(runDir, "istiod") });
  t.after(() => connector.close());
  let ready = 0;
  const ask = () => {
    const asked = connector.connect("10.244.0.2:15012", "default");
    asked.then(
      () => {
        ready += 1;
      },
      () => undefined,
    );
    return asked;
  };
  const listen = () => listenOnPath(real.socketPath("10.244.0.2", 15_012), (socket) => socket.resume());

  for (let i = 0; i < 14; i++) void ask();
  await eventually("the first dial has failed", () => assert.equal(clock.pending(), 1));
  await clock.advance(50);
  await eventually("the second one too", () => assert.equal(clock.pending(), 1));
  assert.deepEqual([dials, ready], [2, 0]);
  const first = await listen();
  await clock.advance(50);
  await eventually("all are told", () => assert.equal(ready, 14));
  assert.equal(dials, 3);

  first.close();
  const path = (await ask()).slice("unix:".length);
  const refused = connect({ path });
  await new Promise((resolve) => refused.on("close", resolve));
  const again = ask();
  await eventually("it has been looked for", () => assert.equal(clock.pending(), 1));
  const second = await listen();
  t.after(() => second.close());
  await clock.advance(50);
  await again;
});
