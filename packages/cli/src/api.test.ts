import assert from "node:assert/strict";
import { test } from "node:test";
import { lastComplaint } from "./api.ts";

const logs = [
  {
    name: "the last complaint with its advice",
    log: "info a\ncluster: one\n  do x\ninfo b\ncluster: two\n  do y\n",
    text: "cluster: two\n  do y",
  },
  { name: "the last line where nothing complained", log: "info a\ninfo b\n", text: "info b" },
  { name: "nothing of nothing", log: "", text: "" },
];
for (const { name, log, text } of logs) test(name, () => assert.equal(lastComplaint(log), text));
