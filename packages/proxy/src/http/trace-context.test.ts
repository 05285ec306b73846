import assert from "node:assert/strict";
import { test } from "node:test";
import { createHeaderBlock } from "@argyle/codec";
import { propagateTrace } from "./trace-context.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";
const source = { randomHex: (bytes: number) => "e".repeat(bytes * 2), random: () => 0.5 };
const SPAN = "e".repeat(16);

const cases: readonly {
  name: string;
  headers: Readonly<Record<string, string>>;
  percent: number;
  want: Readonly<Record<string, string>>;
}[] = [
  {
    name: "W3C",
    headers: { traceparent: `00-${TRACE}-${PARENT}-01` },
    percent: 0,
    want: { traceparent: `00-${TRACE}-${SPAN}-01` },
  },
  {
    name: "B3 multiple",
    headers: { "x-b3-traceid": TRACE, "x-b3-spanid": PARENT, "x-b3-sampled": "0" },
    percent: 100,
    want: { "x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-parentspanid": PARENT, "x-b3-sampled": "0" },
  },
  {
    name: "B3 single",
    headers: { b3: `${TRACE}-${PARENT}-1` },
    percent: 0,
    want: { b3: `${TRACE}-${SPAN}-1-${PARENT}` },
  },
  {
    name: "none, sampled",
    headers: {},
    percent: 100,
    want: { "x-b3-traceid": "e".repeat(32), "x-b3-spanid": SPAN, "x-b3-sampled": "1" },
  },
  {
    name: "none, not sampled",
    headers: { traceparent: "rubbish" },
    percent: 10,
    want: { traceparent: "rubbish", "x-b3-traceid": "e".repeat(32), "x-b3-spanid": SPAN, "x-b3-sampled": "0" },
  },
];
for (const c of cases) {
  test(`propagates ${c.name}`, () => {
    const headers = createHeaderBlock(Object.entries(c.headers));
    propagateTrace(headers, c.percent, source);
    const got: Record<string, string> = {};
    headers.forEach((name, value) => {
      got[name] = value;
    });
    assert.deepEqual(got, c.want);
  });
}
