// npm run fuzz -- TARGET… [--seconds N] [--seed N]: mutates the corpus of a decoder (or of `all`) and checks what must hold for every input.
// What it finds is made small and written to test/fuzz/corpus/TARGET. Exit code 1 when something was found, 2 on usage.
import { randomInt } from "node:crypto";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { withBundle } from "./with-bundle.mjs";

const root = resolve(fileURLToPath(import.meta.url), "../..");
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: "string", default: "60" }, seed: { type: "string" } },
});
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);
process.exitCode = await withBundle("test/fuzz/main.ts", ({ main }) =>
  main({ root, names: positionals, seconds: Number(values.seconds), seed }),
);
