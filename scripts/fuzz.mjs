// npm run fuzz -- TARGET… [--seconds N] [--seed N]: mutates the corpus of a decoder (or of `all`) and checks what must hold for every input.
// What it finds is made small and written to test/fuzz/corpus/TARGET. Exit code 1 when something was found, 2 on usage.
import { randomInt } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { workspaceAliases } from "./build.mjs";

const root = resolve(fileURLToPath(import.meta.url), "../..");
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: "string", default: "60" }, seed: { type: "string" } },
});
const out = join(root, "dist/fuzz", String(process.pid));
mkdirSync(out, { recursive: true });
try {
  await build({
    entryPoints: [join(root, "test/fuzz/main.ts")],
    outfile: join(out, "main.mjs"),
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    packages: "external",
    alias: workspaceAliases(),
    sourcemap: "inline",
    logLevel: "error",
    banner: { js: "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);" },
  });
  const { main } = await import(pathToFileURL(join(out, "main.mjs")).href);
  const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);
  process.exitCode = main({ root, names: positionals, seconds: Number(values.seconds), seed });
} finally {
  rmSync(out, { recursive: true, force: true });
}
