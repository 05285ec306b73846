import assert from "node:assert/strict";
import { test } from "node:test";
import { createHeaderBlock } from "@argyle/codec";
import { Fields } from "../config/fields.ts";
import { compileTracing } from "../config/tracing-config.ts";
import { samplingPercent } from "./sampling.ts";

const percent = (value: number) => ({ value });
const cases = [
  { name: "all defaults", config: {}, percent: 100 },
  { name: "random", config: { random_sampling: percent(1) }, percent: 1 },
  {
    name: "overall limits random",
    config: { random_sampling: percent(50), overall_sampling: percent(10) },
    percent: 10,
  },
  {
    name: "a client that asks",
    config: { random_sampling: percent(0), client_sampling: percent(40) },
    headers: ["x-client-trace-id"],
    percent: 40,
  },
  {
    name: "overall limits clients",
    config: { client_sampling: percent(40), overall_sampling: percent(5) },
    headers: ["x-client-trace-id"],
    percent: 5,
  },
  {
    name: "forced from inside",
    config: { random_sampling: percent(0) },
    headers: ["x-envoy-force-trace"],
    isInternal: true,
    percent: 100,
  },
  {
    name: "forced from outside",
    config: { random_sampling: percent(0) },
    headers: ["x-envoy-force-trace"],
    percent: 0,
  },
] as const;
for (const c of cases) {
  test(`samples ${c.percent} %: ${c.name}`, () => {
    const config = compileTracing(new Fields(c.config, "", { problems: [] }));
    const headers = createHeaderBlock("headers" in c ? c.headers.map((name) => [name, "1"] as const) : []);
    assert.equal(samplingPercent(config, { headers, isInternal: "isInternal" in c }), c.percent);
  });
}
