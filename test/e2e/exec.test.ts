/** kubectl's ways into a pod: exec, port-forward, cp, logs -f; and out of it for programs that are not Node: curl, wget, python, `image: host` containers. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually } from "@argyle/testkit";
import { followKubectl, withForwardedPort } from "../follow-kubectl.ts";
import { get } from "../http.ts";
import { type MiniCluster, ROOT, startMiniCluster, withoutKubectl } from "../mini-cluster.ts";

const SHOP = ["-n", "sock-shop"];

/** A pod of programs of the host; sleeps in a way that a signal ends. */
const hostPod = (name: string, namespace: string, script: string) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace },
  spec: {
    restartPolicy: "Never",
    terminationGracePeriodSeconds: 1,
    containers: [{ name: "main", image: "host", command: ["/bin/sh", "-c", script] }],
  },
});

function has(program: string): boolean {
  try {
    execFileSync("/bin/sh", ["-c", `command -v ${program}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
const without = (program: string) => (has(program) ? false : `${program} is not installed`);

describe("exec and programs that are not Node", { skip: withoutKubectl || without("curl") }, () => {
  let cluster: MiniCluster;
  const cleanups: (() => Promise<void> | void)[] = [];
  const manifests = join(ROOT, "demo/1-deploy-app/manifests");
  before(async () => {
    cluster = await startMiniCluster({ after: (fn) => void cleanups.push(fn) }, { demo: "mesh" });
    await cluster.kubectl("apply", "-f", join(manifests, "sock-shop-ns.yaml"));
    const parts = ["catalogue-db", "catalogue", "front-end"];
    const files = parts.flatMap((part) => ["dep", "svc"].map((kind) => join(manifests, `${part}-${kind}.yaml`)));
    await cluster.kubectl("apply", ...files.flatMap((path) => ["-f", path]));
    for (const part of parts) await cluster.kubectl(...SHOP, "rollout", "status", `deploy/${part}`, "--timeout=30s");
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  const exec = (...command: string[]) =>
    cluster.tryKubectl([...SHOP, "exec", "deploy/front-end", "-c", "front-end", "--", ...command]);
  const apply = (object: object) => {
    const options = { input: JSON.stringify(object) };
    return cluster.tryKubectl(["apply", "-f", "-"], options).then(({ code, stderr }) => assert.equal(code, 0, stderr));
  };
  const follow = (...args: string[]) => followKubectl(cluster, ...args);

  test("curl in a container reaches a Service through the sidecar", async () => {
    const { code, stdout } = await exec("curl", "-s", "http://catalogue/tags", "-A", "exec-test");
    assert.equal(code, 0);
    assert.ok((JSON.parse(stdout) as { tags: string[] }).tags.includes("geek"));
    await eventually("it is in the access log", async () => {
      const log = await cluster.kubectl(...SHOP, "logs", "deploy/front-end", "-c", "istio-proxy", "--tail=20");
      const line = log.split("\n").find((text) => text.includes("exec-test")) ?? "";
      assert.match(line, /"GET \/tags HTTP\/1.1" 200 .* outbound\|80\|.*\|catalogue.sock-shop.svc.cluster.local/);
    });
  });

  test("localhost is the pod's own, in front of the host's", async () => {
    for (const url of ["localhost:8079/health", "http://127.0.0.1:8079/health"])
      assert.match((await exec("curl", "-s", url)).stdout, /"service":"front-end"/);
    const admin = [
      ...SHOP,
      "exec",
      "deploy/front-end",
      "-c",
      "istio-proxy",
      "--",
      "curl",
      "-s",
      "localhost:15000/ready",
    ];
    assert.match((await cluster.tryKubectl(admin)).stdout, /LIVE/);
  });

  test("an unknown host is a clear error", async () => {
    const plain = await exec("curl", "-s", "http://nosuch.sock-shop.svc.cluster.local/");
    assert.match(plain.stdout, /no such name in the cluster.*nosuch.sock-shop.svc.cluster.local/);
    assert.equal((await exec("curl", "-sf", "http://nosuch.sock-shop.svc.cluster.local/")).code, 22);
    const tunnel = await exec("curl", "-s", "https://nosuch.sock-shop.svc.cluster.local/");
    assert.equal(tunnel.code, 56);
    assert.match((await exec("curl", "-s", "http://nosuch.invalid/")).stdout, /Name or service not known|not resolve/i);
  });

  test("wget reaches a Service", { skip: without("wget") }, async () => {
    assert.match((await exec("wget", "-qO-", "http://catalogue.sock-shop/catalogue/size")).stdout, /"size":\d+/);
  });

  test("python reaches a Service", { skip: without("python3") }, async () => {
    const script = "import urllib.request as u; print(u.urlopen('http://catalogue/catalogue/size').read())";
    assert.match((await exec("python3", "-c", script)).stdout, /"size":\d+/);
  });

  test("exit codes pass through, stdin and stderr too", async () => {
    assert.equal((await exec("sh", "-c", "exit 7")).code, 7);
    const missing = await exec("no-such-program");
    assert.equal(missing.code, 127, missing.stderr);
    const piped = await cluster.tryKubectl(
      [...SHOP, "exec", "-i", "deploy/front-end", "-c", "front-end", "--", "sh", "-c", "cat; echo oops >&2"],
      { input: "from stdin" },
    );
    assert.deepEqual([piped.code, piped.stdout, piped.stderr], [0, "from stdin", "oops\n"]);
  });

  test("port-forward leads to the program", async () => {
    await withForwardedPort(cluster, [...SHOP, "deploy/catalogue"], 80, async (url) => {
      const answer = await get(`${url}/catalogue/size`);
      assert.equal(answer.status, 200);
      assert.match(answer.body, /"size":\d+/);
    });
  });

  test("cp there and back", { skip: without("tar") }, async () => {
    const dir = mkdtempSync(join(tmpdir(), "ag-cp-"));
    try {
      const content = "x".repeat(100_000);
      writeFileSync(join(dir, "there"), content);
      const pod = await cluster.kubectl(...SHOP, "get", "pods", "-l", "name=front-end", "-o", "name");
      const name = pod.trim().replace("pod/", "");
      await cluster.kubectl(...SHOP, "cp", join(dir, "there"), `${name}:copied`, "-c", "front-end");
      await cluster.kubectl(...SHOP, "cp", `${name}:copied`, join(dir, "back"), "-c", "front-end");
      assert.equal(readFileSync(join(dir, "back"), "utf8"), content);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  test("logs -f shows lines as they are written", async () => {
    const marker = `follow-${Math.random().toString(36).slice(2)}`;
    const log = follow(...SHOP, "logs", "-f", "--tail=1", "deploy/front-end", "-c", "front-end");
    try {
      await exec("curl", "-s", "localhost:8079/", "-A", marker, "-o", "/dev/null");
      await eventually("the line arrives", () => assert.ok(log.text().includes(marker)));
    } finally {
      await log.end();
    }
  });

  test("a container of a host program is in the mesh by http_proxy, with a sidecar and without; an Event says what is not", async () => {
    const script = (url: string) => `curl -sf ${url}; echo " rc=$?"; sleep 60 & wait`;
    await apply(hostPod("meshed", "sock-shop", script("http://catalogue/tags")));
    await apply(hostPod("plain", "default", script("http://catalogue.sock-shop/tags")));
    for (const [name, namespace] of [
      ["meshed", "sock-shop"],
      ["plain", "default"],
    ] as const) {
      await eventually(`${name} has its answer`, async () => {
        const log = await cluster.kubectl("-n", namespace, "logs", name, "-c", "main");
        assert.match(log, /"tags":\[.*rc=0/s);
      });
      const about = `involvedObject.name=${name},reason=NotCaptured`;
      await eventually("the event", async () => {
        const out = ["-o", "jsonpath={range .items[*]}{.message}{'\\n'}{end}"];
        const text = await cluster.kubectl("-n", namespace, "get", "events", "--field-selector", about, ...out);
        assert.match(text, /^container main is not a Node.js program: .*http_proxy.*CONNECT/);
        assert.equal(text.trim().split("\n").length, 1);
      });
    }
  });

  test("running containers keep their proxy when kube-proxy dies", async () => {
    const pid = await cluster.pidOf("kube-proxy");
    process.kill(pid, "SIGKILL");
    await eventually("it is back", async () => assert.notEqual(await cluster.pidOf("kube-proxy"), pid));
    const again = ["exec", "plain", "--", "curl", "-sf", "--retry", "20", "--retry-connrefused", "--retry-delay", "1"];
    const { code, stdout } = await cluster.tryKubectl([...again, "http://catalogue.sock-shop/tags"]);
    assert.equal(code, 0);
    assert.match(stdout, /"tags"/);
  });
});
