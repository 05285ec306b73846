import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDuration, parseOptions } from "./options.ts";

const durations = [
  ["30", 30_000],
  ["250ms", 250],
  ["1.5s", 1500],
  ["1h30m", 5_400_000],
  ["0", 0],
  ["", undefined],
  ["5x", undefined],
  ["-1s", undefined],
] as const;
for (const [text, ms] of durations) test(`"${text}" is ${ms} ms`, () => assert.equal(parseDuration(text), ms));

test("takes locust's flags, old and new, and its environment; flags win", () => {
  const argv = [
    "--host",
    "http://shop/",
    "-c",
    "5",
    "--hatch-rate=2.5",
    "--num-request",
    "100",
    "--no-web",
    "-f",
    "/config/locustfile.py",
  ];
  const parsed = parseOptions(argv, { LOCUST_USERS: "9", LOCUST_RUN_TIME: "5m", LOADTEST_THINK_TIME: "1s-2s" });
  assert.deepEqual(parsed, {
    ok: true,
    value: {
      host: "http://shop",
      users: 5,
      spawnRate: 2.5,
      thinkMs: [1000, 2000],
      runTimeMs: 300_000,
      maxRequests: 100,
      timeoutMs: 30_000,
      account: undefined,
      webPort: undefined,
      summaryEveryMs: 30_000,
    },
  });
});

test("says every problem at once", () => {
  const parsed = parseOptions(["--users", "0", "--host", "ftp://x", "--think-time", "2s-1s", "--nonsense", "-t"], {});
  assert.ok(!parsed.ok);
  assert.deepEqual(
    parsed.problems.map((problem) => problem.split(" ")[0]),
    ["unknown", "-t", "host", "users", "think-time"],
  );
});
