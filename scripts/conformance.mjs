// npm run conformance -- DIR [--only SET] [--json]: replays peer data (each sub-folder of DIR is a set) against our packages.
// With --json one line a case: {set, id, result: "pass"|"fail"|"n/a", why}; else the failing cases, a summary line a set and a total.
// Exit code 0 when nothing failed, 1 when a case failed, 2 on usage.
import { existsSync, readdirSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildAll } from "./build.mjs";
import { withBundle } from "./with-bundle.mjs";

function usage(problem) {
  console.error(`${problem}\nusage: npm run conformance -- DIR [--only SET]… [--json]`);
  process.exit(2);
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { only: { type: "string", multiple: true }, json: { type: "boolean", default: false } },
    });
    if (positionals.length !== 1) return usage("give one folder");
    const dir = resolve(positionals[0]);
    if (!existsSync(dir) || !statSync(dir).isDirectory()) return usage(`${dir} is not a folder`);
    const sets = readdirSync(dir, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
      .sort();
    const wrong = (values.only ?? []).filter((set) => !sets.includes(set));
    if (wrong.length > 0) return usage(`${dir} holds no set ${wrong.join(", ")}; it has ${sets.join(", ")}`);
    return { dir, sets: values.only ?? sets, isJson: values.json };
  } catch (error) {
    return usage(error.message);
  }
}

const { dir, sets, isJson } = readArguments();
await buildAll();
const failed = await withBundle("test/conformance/replay.ts", ({ replayFolder }) => report(replayFolder(dir, sets)));
// Written lines may still be in the pipe: the code is set and the process left to end.
process.exitCode = failed ? 1 : 0;

/** Prints every case; true when one failed. */
async function report(cases) {
  const totals = new Map();
  for await (const one of cases) {
    const tally = totals.get(one.set) ?? { pass: 0, fail: 0, "n/a": 0 };
    tally[one.result] += 1;
    totals.set(one.set, tally);
    if (isJson) console.log(JSON.stringify({ set: one.set, id: one.id, result: one.result, why: one.why }));
    else if (one.result === "fail")
      console.log(`FAIL ${one.set}: ${one.id}\n     ${one.why.replaceAll("\n", "\n     ")}`);
  }
  const sum = { pass: 0, fail: 0, "n/a": 0 };
  for (const tally of totals.values()) for (const key of Object.keys(sum)) sum[key] += tally[key];
  if (!isJson) {
    const width = Math.max(...[...totals.keys(), "total"].map((name) => name.length));
    for (const [name, tally] of [...totals, ["total", sum]]) {
      const cells = Object.entries(tally).map(([key, count]) => `${String(count).padStart(5)} ${key}`);
      console.log(`${name.padEnd(width)} ${cells.join(" ")}`);
    }
  }
  return sum.fail > 0;
}
