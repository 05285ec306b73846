import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { tempDir } from "@argyle/testkit";
import { authorityOf } from "../src/index.ts";
import { ROOT, runInPod, startFakePod } from "./fake-pod.ts";

interface Expectation {
  readonly result: unknown;
  /** What the sidecar must have been asked for; none: nothing may reach it. */
  readonly seen?: string;
}
const asked = (result: unknown, seen: string): Expectation => ({ result, seen });
const local = (result: unknown): Expectation => ({ result });
const noName = (name: string, syscall = "getaddrinfo") => ({
  code: "ENOTFOUND",
  message: `${syscall} ENOTFOUND ${name}`,
});

const expectations: Readonly<Record<string, Expectation>> = {
  "http short name": asked("catalogue/a", "10.96.0.10:80 catalogue"),
  "http name.namespace": asked("catalogue.shop/b", "10.96.0.10:80 catalogue.shop"),
  "http fqdn with a dot": asked(
    "catalogue.shop.svc.cluster.local./c",
    "10.96.0.10:80 catalogue.shop.svc.cluster.local",
  ),
  "http cluster IP": asked("10.96.0.10/d", "10.96.0.10:80 -"),
  "http external name": asked("example.org/e", "0.0.0.0:80 example.org"),
  "http external address": asked("203.0.113.7/f", "203.0.113.7:80 -"),
  "http external IPv6 address": asked("[2001:db8::7]/f6", "2001:db8::7:80 -"),
  "http options": asked("catalogue/g", "10.96.0.10:80 catalogue"),
  "http own lookup": asked("catalogue/h", "10.96.0.10:80 catalogue"),
  "http keep-alive agent": asked(
    ["catalogue/1", "catalogue/2", "catalogue/3", "catalogue:80:"],
    "10.96.0.10:80 catalogue",
  ),
  https: asked("secure.shop/i", "10.96.0.11:443 secure.shop"),
  "https by address": asked("10.96.0.11/j", "10.96.0.11:443 -"),
  fetch: asked("catalogue/k", "10.96.0.10:80 catalogue"),
  "fetch https": asked("secure.shop/l", "10.96.0.11:443 secure.shop"),
  h2c: asked("h2 reply", "10.96.0.13:8080 h2.shop"),
  "h2 over tls": asked("h2 reply", "10.96.0.13:8443 h2.shop"),
  "tls.connect(options)": asked(["ping", "10.96.0.11", 7443, "10.244.0.9"], "10.96.0.11:7443 secure.shop"),
  "tls.connect(port, host, options)": asked("ping", "10.96.0.11:7443 secure.shop"),
  "tls.connect(port, options)": asked("ping", "10.96.0.11:7443 secure.shop"),
  "tls over an own socket": asked("ping", "10.96.0.11:7443 secure.shop"),
  "net.connect(port, host)": asked("ping", "10.96.0.12:7000 echo"),
  "net.connect(options)": asked("ping", "10.96.0.12:7000 echo.shop.svc"),
  "new Socket().connect()": asked("ping", "10.96.0.12:7000 echo"),
  "server speaks first": asked(["220 ready", 0], "10.96.0.12:7001 echo"),
  "half-close": asked("ab", "10.96.0.12:7000 echo"),
  addresses: asked(["10.96.0.12", 7000, "IPv4", "10.244.0.9", 2], "10.96.0.12:7000 echo"),
  reset: asked({ code: "ECONNRESET", message: "read ECONNRESET" }, "10.96.0.12:7002 echo"),
  "unknown cluster name": local(noName("nobody.shop.svc.cluster.local")),
  "unknown cluster name over https": local(noName("nobody.shop.svc")),
  "own port that nobody has": local({ code: "ECONNREFUSED", message: "connect ECONNREFUSED 10.244.0.9:4444" }),
  "dns.lookup": local({ address: "10.96.0.10", family: 4 }),
  "dns.lookup all": local([{ address: "10.96.0.10", family: 4 }]),
  "dns.lookup callback": local(["10.96.0.10", 4]),
  "dns.lookup unknown": local(noName("nobody.shop.svc.cluster.local")),
  "dns.lookup family 6": local(noName("catalogue")),
  "dns.resolve4 headless": local(["10.244.0.20", "10.244.0.21"]),
  "dns Resolver": local(["10.244.0.20", "10.244.0.21"]),
  "dns resolve6": local({ code: "ENODATA", message: "queryAaaa ENODATA catalogue" }),
  "own pod name": local({ address: "10.244.0.9", family: 4 }),
  "grpc name": asked("said hello", "10.96.0.14:50051 -"),
  "grpc dns target": asked("said hello", "10.96.0.14:50051 -"),
  exec: asked("catalogue/child", "10.96.0.10:80 catalogue"),
  "execFile with an empty environment": asked("catalogue/child", "10.96.0.10:80 catalogue"),
  "spawnSync with an empty environment": asked("catalogue/child", "10.96.0.10:80 catalogue"),
  "execFileSync with NODE_OPTIONS of its own": asked("catalogue/child", "10.96.0.10:80 catalogue"),
  "execSync inherits": asked("catalogue/child", "10.96.0.10:80 catalogue"),
  worker: asked("catalogue/worker", "10.96.0.10:80 catalogue"),
  "worker with an empty environment": asked("catalogue/worker", "10.96.0.10:80 catalogue"),
};

/** Every client kind in one program; returns name -> result and what the sidecar saw. */
async function runSuite(t: TestContext, wrapper: readonly string[]): Promise<void> {
  const pod = await startFakePod(tempDir(t));
  try {
    const output = await runInPod(pod, [join(ROOT, "packages/pod-network/test/clients.cjs"), ROOT], wrapper);
    const results = new Map<string, unknown>();
    for (const line of output.trim().split("\n")) {
      const [name, result] = JSON.parse(line) as [string, unknown];
      results.set(name, result);
    }
    for (const header of pod.headers)
      assert.equal(header.command === "PROXY" && header.source.ip.replace("::ffff:", ""), "10.244.0.9");
    for (const [name, { result }] of Object.entries(expectations)) {
      await t.test(name, () => assert.deepEqual(results.get(name), result));
    }
    await t.test("every connection reached the sidecar once, and nothing else did", () => {
      const want = Object.values(expectations).flatMap(({ seen }) => (seen === undefined ? [] : [seen]));
      const got = pod.seen.filter((line) => line !== "10.96.0.12:7002 echo" || want.includes(line));
      // "reset under tls" has no expectation of its own (see the test below), it only adds one line.
      got.splice(got.indexOf("10.96.0.12:7002 echo"), 1);
      assert.deepEqual(got.sort(), want.sort());
    });
    await t.test("a reset reaches a program under TLS as an error", () => {
      const result = results.get("reset under tls") as { readonly code: string };
      assert.equal(result.code, "ECONNRESET");
    });
    assert.ok(pod.headers.every((header) => authorityOf(header) !== ""));
  } finally {
    await pod.close();
  }
}

test("every kind of client is captured", (t) => runSuite(t, []));

test("nothing leaks: the same clients in a network namespace with only loopback", (t) => {
  const wrapper = ["unshare", "-Urn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"];
  try {
    execFileSync("unshare", ["-Urn", "sh", "-c", "ip link set lo up"], { stdio: "ignore" });
  } catch {
    t.skip("this machine does not allow network namespaces (unshare -Urn)");
    return;
  }
  return runSuite(t, wrapper);
});
