import assert from "node:assert/strict";
import { test } from "node:test";
import type { Probe } from "@argyle/kube-types";
import { createFakeClock } from "@argyle/testkit";
import { type ProbeKind, startProber } from "./prober.ts";

interface Case {
  readonly name: string;
  readonly kind: ProbeKind;
  readonly probe: Probe;
  readonly honour?: boolean;
  /** Whether the program answers well, by the milliseconds since start. */
  readonly healthy: (ms: number) => boolean;
  readonly runMs: number;
  readonly verdicts: readonly string[];
  readonly maxCalls?: number;
}

const sockShop: Probe = { initialDelaySeconds: 180, periodSeconds: 3 };
const cases: readonly Case[] = [
  {
    name: "readiness is seen within 50 ms though the manifest says 180 s",
    kind: "readiness",
    probe: sockShop,
    healthy: (ms) => ms >= 700,
    runMs: 5000,
    verdicts: ["700 true"],
    maxCalls: 17,
  },
  {
    name: "honour waits for initialDelaySeconds",
    kind: "readiness",
    probe: sockShop,
    honour: true,
    healthy: () => true,
    runMs: 181_000,
    verdicts: ["180000 true"],
  },
  {
    name: "readiness is lost after failureThreshold periods and comes back",
    kind: "readiness",
    probe: { periodSeconds: 1, failureThreshold: 3 },
    healthy: (ms) => ms < 1500 || ms > 6000,
    runMs: 9000,
    verdicts: ["0 true", "4000 false", "7000 true"],
  },
  {
    name: "liveness failures before initialDelaySeconds do not count",
    kind: "liveness",
    probe: { initialDelaySeconds: 10, periodSeconds: 1, failureThreshold: 3 },
    healthy: (ms) => ms > 9000,
    runMs: 20_000,
    verdicts: ["10000 true"],
  },
  {
    name: "liveness fails after failureThreshold periods",
    kind: "liveness",
    probe: { periodSeconds: 2, failureThreshold: 2 },
    healthy: () => false,
    runMs: 5000,
    verdicts: ["2050 false"],
  },
  {
    name: "startup ends at its first success",
    kind: "startup",
    probe: { periodSeconds: 1, failureThreshold: 5 },
    healthy: (ms) => ms >= 200,
    runMs: 5000,
    verdicts: ["200 true"],
    maxCalls: 5,
  },
  {
    name: "startup fails after the time that Kubernetes would give",
    kind: "startup",
    probe: { periodSeconds: 1, failureThreshold: 3 },
    healthy: () => false,
    runMs: 5000,
    verdicts: ["3000 false"],
  },
];

for (const c of cases) {
  test(c.name, async () => {
    const clock = createFakeClock();
    const verdicts: string[] = [];
    let calls = 0;
    const prober = startProber({
      kind: c.kind,
      probe: c.probe,
      clock,
      honourDelay: c.honour === true,
      execute: async () => {
        calls += 1;
        return c.healthy(clock.monotonic()) ? { ok: true } : { ok: false, message: "no" };
      },
      onVerdict: (isGood) => verdicts.push(`${clock.monotonic()} ${isGood}`),
      onFailure: () => undefined,
    });
    await clock.advance(c.runMs);
    prober.stop();
    assert.deepEqual(verdicts, c.verdicts);
    if (c.maxCalls !== undefined) assert.ok(calls <= c.maxCalls, `${calls} calls`);
    assert.equal(clock.pending(), 0);
  });
}

test("a hint that it may be ready is followed at once, and changes nothing after the first success", async () => {
  const clock = createFakeClock();
  const calls: number[] = [];
  let isHealthy = false;
  const prober = startProber({
    kind: "readiness",
    probe: { periodSeconds: 10 },
    clock,
    honourDelay: false,
    fastMs: 500,
    async execute() {
      calls.push(clock.monotonic());
      return isHealthy ? { ok: true } : { ok: false, message: "not yet" };
    },
    onVerdict: () => undefined,
    onFailure: () => undefined,
  });
  await clock.advance(600);
  isHealthy = true;
  prober.hurry();
  await clock.advance(1);
  prober.hurry();
  await clock.advance(1000);
  prober.stop();
  const start = calls[0] ?? 0;
  assert.deepEqual(
    calls.map((at) => at - start),
    [0, 500, 600],
  );
});
