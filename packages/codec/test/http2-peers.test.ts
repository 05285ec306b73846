/**
 * Peers that we did not write, where they are installed (Debian nghttp2-client; h2spec by
 * `go install github.com/summerwind/h2spec/cmd/h2spec@latest`): skipped aloud otherwise.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { delimiter, join } from "node:path";
import test, { type TestContext } from "node:test";
import { promisify } from "node:util";
import { serveHttp2 } from "./http2-echo-server.ts";

const run = promisify(execFile);

function isInstalled(program: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, program)));
}

async function listen(t: TestContext): Promise<number> {
  const server = serveHttp2();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

const skipOf = (program: string) => (isInstalled(program) ? false : `${program} is not installed`);

test("h2load: every request of 4 connections with 32 streams each succeeds", { skip: skipOf("h2load") }, async (t) => {
  const port = await listen(t);
  for (const [path, count] of [
    ["/", 5000],
    ["/big/100000", 500],
  ] as const) {
    const { stdout } = await run("h2load", [
      "-n",
      `${count}`,
      "-c",
      "4",
      "-m",
      "32",
      `http://127.0.0.1:${port}${path}`,
    ]);
    assert.match(stdout, new RegExp(`${count} succeeded, 0 failed, 0 errored`));
  }
});

test("nghttp: a large body comes whole through a small window", { skip: skipOf("nghttp") }, async (t) => {
  const port = await listen(t);
  const { stdout } = await run("nghttp", ["-w", "14", "-W", "15", `http://127.0.0.1:${port}/big/3000000`], {
    maxBuffer: 10_000_000,
  });
  assert.equal(stdout.length, 3_000_000);
});

test("h2spec: generic, http2 and hpack pass", { skip: skipOf("h2spec") }, async (t) => {
  const port = await listen(t);
  const { stdout } = await run("h2spec", ["-h", "127.0.0.1", "-p", `${port}`, "generic", "http2", "hpack"]);
  assert.match(stdout, / 0 failed/);
});
