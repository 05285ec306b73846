import assert from "node:assert/strict";
import { test } from "node:test";
import { formatTable } from "./table.ts";

const cases = [
  { name: "nothing is nothing", rows: [], text: "" },
  {
    name: "columns are as wide as their widest cell, three spaces apart",
    rows: [
      ["NAME", "STATE"],
      ["a-long-name", "up"],
    ],
    text: "NAME          STATE\na-long-name   up",
  },
  {
    name: "no line ends in spaces",
    rows: [
      ["a", ""],
      ["b", "long"],
      ["", ""],
    ],
    text: "a\nb   long\n",
  },
  { name: "rows may be of different lengths", rows: [["a"], ["b", "c"]], text: "a\nb   c" },
];
for (const c of cases) test(c.name, () => assert.equal(formatTable(c.rows), c.text));
