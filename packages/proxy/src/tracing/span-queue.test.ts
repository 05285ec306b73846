import assert from "node:assert/strict";
import { test } from "node:test";
import { createRegistry, type Span } from "@argyle/telemetry";
import { createFakeClock } from "@argyle/testkit";
import { createTimerWheel } from "../io/timer-wheel.ts";
import { type SendResult, SpanQueue } from "./span-queue.ts";
import { createTracingStats } from "./tracing-stats.ts";

const span: Span = {
  traceId: "1".repeat(32),
  spanId: "2".repeat(16),
  parentSpanId: undefined,
  kind: "server",
  name: "x",
  startTimeMs: 0,
  durationMs: 1,
  tags: {},
  serviceName: "s",
};

function setUp() {
  const clock = createFakeClock();
  const registry = createRegistry();
  const sends: { readonly size: number; readonly done: (result: SendResult) => void }[] = [];
  const wheel = createTimerWheel(clock);
  const queue = new SpanQueue({
    wheel,
    stats: createTracingStats(registry, "zipkin"),
    send: (spans, done) => void sends.push({ size: spans.length, done }),
  });
  const add = (count: number) => {
    for (let i = 0; i < count; i++) queue.add(span);
  };
  const stat = (name: string) =>
    Number(new RegExp(`^envoy_tracing_zipkin_${name} (\\d+)`, "m").exec(registry.expose())?.[1]);
  return { clock, wheel, queue, sends, add, stat };
}

test("waits a second for more, then sends what there is", async () => {
  const { clock, wheel, sends, add, stat } = setUp();
  add(3);
  await clock.advance(900);
  assert.equal(sends.length, 0);
  await clock.advance(200);
  assert.deepEqual(
    sends.map(({ size }) => size),
    [3],
  );
  assert.equal(stat("timer_flushed"), 1);
  wheel.close();
});

test("a full batch goes at once, and one report is on its way at a time", () => {
  const { wheel, sends, add, stat } = setUp();
  add(250);
  assert.deepEqual(
    sends.map(({ size }) => size),
    [100],
  );
  sends[0]?.done("sent");
  assert.deepEqual(
    sends.map(({ size }) => size),
    [100, 100],
  );
  assert.equal(stat("spans_sent"), 100);
  wheel.close();
});

test("is bounded: what does not fit is dropped and counted", () => {
  const { wheel, sends, add, stat } = setUp();
  add(2200);
  assert.equal(sends.length, 1);
  assert.equal(stat("spans_dropped"), 100);
  wheel.close();
});

test("a collector that fails is asked again after a pause, not in a loop", async () => {
  const { clock, wheel, sends, add, stat } = setUp();
  add(200);
  sends[0]?.done("failed");
  assert.equal(sends.length, 1);
  await clock.advance(1100);
  assert.equal(sends.length, 2);
  assert.deepEqual([stat("reports_failed"), stat("spans_dropped")], [1, 100]);
  wheel.close();
});
