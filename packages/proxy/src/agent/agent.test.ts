import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { silentLogger, systemClock } from "@argyle/core";
import { eventually, tempDir } from "@argyle/testkit";
import type { XdsRegistry } from "@argyle/xds";
import { type AgentShared, startAgent } from "./agent.ts";
import { createDecodedResources } from "./decoded-resources.ts";

test("labels that cannot be read are read again, and become the identity", async (t) => {
  const rootfs = tempDir(t);
  const labels = join(rootfs, "etc/istio/pod/labels");
  mkdirSync(labels, { recursive: true });
  const warnings: string[] = [];
  const agent = startAgent({
    spec: { podIP: "10.244.0.7", args: ["proxy", "sidecar"], env: {}, rootfs },
    sink: { apply: () => [], wanted: () => new Set<string>(), onWantedChange: () => undefined },
    connect: () => Promise.reject(new Error("no istiod in this test")),
    heldDirectory: join(rootfs, "held"),
    // Nothing is sent: istiod cannot be reached.
    shared: { decoded: createDecodedResources({} as XdsRegistry) } as AgentShared,
    clock: systemClock,
    log: { ...silentLogger, warn: (message) => void warnings.push(message) },
  });
  t.after(() => agent.close());
  await eventually("told", () => assert.ok(warnings.includes("cannot read labels and annotations")));
  assert.equal(agent.status().workload, undefined);
  rmSync(labels, { recursive: true });
  writeFileSync(labels, 'app="web"\n');
  await eventually("read", () => assert.deepEqual(agent.status().workload?.node.metadata?.LABELS, { app: "web" }));
});
