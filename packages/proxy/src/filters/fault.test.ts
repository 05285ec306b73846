import assert from "node:assert/strict";
import { test } from "node:test";
import { createHeaderBlock } from "@argyle/codec";
import { Fields } from "../config/fields.ts";
import type { RequestView } from "../config/header-matcher.ts";
import { compileFault, decideFault } from "./fault.ts";

const percent = (numerator: number, denominator = "HUNDRED") => ({ percentage: { numerator, denominator } });
const NOTHING = { delayMs: 0, abortStatus: 0, grpcStatus: undefined };

const cases: readonly {
  readonly name: string;
  readonly config: object;
  /** One for each decision, abort first. */
  readonly random?: readonly number[];
  readonly headers?: readonly (readonly [string, string])[];
  readonly expected: ReturnType<typeof decideFault>;
}[] = [
  { name: "nothing is configured", config: {}, expected: NOTHING },
  {
    name: "a delay for all",
    config: { delay: { fixed_delay: "1.5s", ...percent(100) } },
    expected: { ...NOTHING, delayMs: 1500 },
  },
  { name: "a delay without a percentage is never", config: { delay: { fixed_delay: "1s" } }, expected: NOTHING },
  {
    name: "10 % hits 9",
    config: { abort: { http_status: 500, ...percent(10) } },
    random: [209],
    expected: { ...NOTHING, abortStatus: 500 },
  },
  { name: "10 % misses 10", config: { abort: { http_status: 500, ...percent(10) } }, random: [210], expected: NOTHING },
  {
    name: "fractions of a million",
    config: { abort: { http_status: 418, ...percent(1, "MILLION") } },
    random: [3_000_000],
    expected: { ...NOTHING, abortStatus: 418 },
  },
  {
    name: "delay and abort together",
    config: { delay: { fixed_delay: "0.1s", ...percent(100) }, abort: { http_status: 503, ...percent(100) } },
    expected: { ...NOTHING, delayMs: 100, abortStatus: 503 },
  },
  {
    name: "a gRPC status",
    config: { abort: { grpc_status: 14, ...percent(100) } },
    expected: { ...NOTHING, abortStatus: 200, grpcStatus: 14 },
  },
  {
    name: "only with the header",
    config: {
      abort: { http_status: 500, ...percent(100) },
      headers: [{ name: "end-user", string_match: { exact: "jason" } }],
    },
    headers: [["end-user", "jason"]],
    expected: { ...NOTHING, abortStatus: 500 },
  },
  {
    name: "not for others",
    config: {
      abort: { http_status: 500, ...percent(100) },
      headers: [{ name: "end-user", string_match: { exact: "jason" } }],
    },
    headers: [["end-user", "mary"]],
    expected: NOTHING,
  },
];
for (const c of cases) {
  test(`fault: ${c.name}`, () => {
    const problems: { path: string; message: string }[] = [];
    const config = compileFault(new Fields(c.config, "", { problems }));
    assert.deepEqual(problems, []);
    const draws = [...(c.random ?? [])];
    const view = {
      headers: createHeaderBlock(c.headers ?? []),
      method: "GET",
      path: "/",
      authority: "x",
      scheme: "http",
    };
    assert.deepEqual(
      decideFault(config, view as RequestView, () => draws.shift() ?? 0),
      c.expected,
    );
  });
}

test("fault: a status that is none is refused", () => {
  const problems: { path: string; message: string }[] = [];
  compileFault(new Fields({ abort: { http_status: 99 } }, "", { problems }));
  assert.deepEqual(problems, [{ path: "abort.http_status", message: "must be in [200, 600)" }]);
});
