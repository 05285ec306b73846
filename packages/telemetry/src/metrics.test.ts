import assert from "node:assert/strict";
import { test } from "node:test";
import { createRegistry } from "./metrics.ts";

test("exposes counters, gauges and cumulative histograms in Prometheus text", () => {
  const registry = createRegistry();
  const requests = registry.counter({ name: "rq_total", help: "requests", labels: ["code"] });
  requests.cell("200").add(2);
  requests.cell("200").add(1);
  registry.gauge({ name: "active" }).cell().set(4);
  const latency = registry.histogram({ name: "ms", labels: ["route"] }, [1, 10]).cell('a"b');
  latency.observe(0.5);
  latency.observe(5);
  latency.observe(50);
  assert.equal(
    registry.expose(),
    '# HELP rq_total requests\n# TYPE rq_total counter\nrq_total{code="200"} 3\n# TYPE active gauge\nactive 4\n' +
      '# TYPE ms histogram\nms_bucket{route="a\\"b",le="1"} 1\nms_bucket{route="a\\"b",le="10"} 2\n' +
      'ms_bucket{route="a\\"b",le="+Inf"} 3\nms_sum{route="a\\"b"} 55.5\nms_count{route="a\\"b"} 3\n',
  );
});

test("puts what does not fit into one cell labelled unknown", () => {
  const registry = createRegistry();
  const family = registry.counter({ name: "x", labels: ["a"], maxCells: 2 });
  for (const value of ["1", "2", "3", "4"]) family.cell(value).add(1);
  assert.equal(registry.expose(), '# TYPE x counter\nx{a="1"} 1\nx{a="2"} 1\nx{a="unknown"} 2\n');
});

test("drops idle cells after some scrapes and brings them back on use", () => {
  const registry = createRegistry();
  const cell = registry.counter({ name: "x", labels: ["a"], idleScrapes: 2 }).cell("1");
  cell.add(1);
  const seen = [registry.expose(), registry.expose(), registry.expose(), registry.expose()].map((text) => text !== "");
  assert.deepEqual(seen, [true, true, true, false]);
  cell.add(1);
  assert.match(registry.expose(), /x\{a="1"\} 2/);
});
