import assert from "node:assert/strict";
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { silentLogger } from "@argyle/core";
import { createPodNetwork, listenOnPath } from "@argyle/pod-network";
import { eventually, tempDir } from "@argyle/testkit";
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
  const connector = createIstiodConnector(network, silentLogger, directory);
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
