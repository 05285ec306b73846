/**
 * Clients that we did not write against a listener with a backend, where they are installed (Debian nghttp2-client, curl; h2spec by
 * `go install github.com/summerwind/h2spec/cmd/h2spec@latest`): skipped aloud otherwise.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";

import { type Harness, httpListener, startProxy, staticCluster } from "./harness.ts";
import { http2Options, startHttp2Upstream } from "./http2-client.ts";

const run = promisify(execFile);

function skipUnlessInstalled(program: string): string | false {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.some((folder) => existsSync(join(folder, program))) ? false : `${program} is not installed`;
}
async function start(t: TestContext, hcm: object = {}): Promise<Harness> {
  const answer: Parameters<typeof startHttp2Upstream>[1] = (stream, headers) => {
    const size = Number(/^\/big\/(\d+)$/.exec(String(headers[":path"]))?.[1] ?? 5);
    stream.resume();
    stream.respond({ ":status": 200, "content-type": "text/plain" });
    stream.end(Buffer.alloc(size, "x"));
  };
  // Node refuses streams (ENHANCE_YOUR_CALM) while what a session has to send exceeds this; 128 answers of 100 kB exceed its default of 10 MB.
  const upstream = await startHttp2Upstream(t, answer, { maxSessionMemory: 100 });
  return await startProxy(t, {
    clusters: [staticCluster("a", [upstream.port], http2Options())],
    listeners: [httpListener([{ match: { prefix: "/" }, route: { cluster: "a" } }], hcm)],
  });
}

test("h2spec: generic, http2 and hpack pass against a listener", { skip: skipUnlessInstalled("h2spec") }, async (t) => {
  // AUTO answers what is no preface as HTTP/1, with 400; h2spec wants the connection cut.
  const h = await start(t, { codec_type: "HTTP2" });
  const argv = ["-h", "127.0.0.1", "-p", String(h.port()), "-o", "5", "generic", "http2", "hpack"];
  const { stdout } = await run("h2spec", argv).catch((error: { stdout: string }) => error);
  assert.match(stdout, / 0 failed/, stdout.slice(stdout.indexOf("Failures:")));
});

test("h2load: every request of 4 connections with 32 streams each succeeds", {
  skip: skipUnlessInstalled("h2load"),
}, async (t) => {
  const h = await start(t);
  for (const [path, count] of [
    ["/", 5000],
    ["/big/100000", 500],
  ] as const) {
    const argv = ["-n", String(count), "-c", "4", "-m", "32", `http://127.0.0.1:${h.port()}${path}`];
    const { stdout } = await run("h2load", argv);
    assert.match(stdout, new RegExp(`${count} succeeded, 0 failed, 0 errored`));
  }
});

test("nghttp: a large body comes whole through a small window", { skip: skipUnlessInstalled("nghttp") }, async (t) => {
  const h = await start(t);
  const argv = ["-w", "14", "-W", "15", `http://127.0.0.1:${h.port()}/big/3000000`];
  const { stdout } = await run("nghttp", argv, { maxBuffer: 10_000_000 });
  assert.equal(stdout.length, 3_000_000);
});

test("curl with prior knowledge and without get the same", { skip: skipUnlessInstalled("curl") }, async (t) => {
  const h = await start(t);
  for (const option of ["--http1.1", "--http2-prior-knowledge"]) {
    const { stdout } = await run("curl", ["-s", option, "-w", " %{http_version}", `http://127.0.0.1:${h.port()}/`]);
    assert.equal(stdout, option === "--http1.1" ? "xxxxx 1.1" : "xxxxx 2");
  }
});
