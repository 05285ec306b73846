// npm run differential -- [WORD…] [--lanes N] [--record] [--verbose]: the same configuration and the same requests to a real Envoy and to our proxy.
// Envoy is opt-in: ARGYLE_ENVOY=/path/to/envoy, or `envoy` in PATH. Prints each difference, then totals by class.
// --record writes what the always-on replay expects (test/differential/expected.json). Exit code 1 on an unexplained difference, 2 on usage.
import { mkdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { buildAll, workspaceAliases } from "./build.mjs";

const root = resolve(fileURLToPath(import.meta.url), "../..");
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    lanes: { type: "string", default: "3" },
    record: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
  },
});
await buildAll();
const out = join(root, "dist/differential", String(process.pid));
mkdirSync(out, { recursive: true });
try {
  await build({
    entryPoints: [join(root, "test/differential/main.ts")],
    outfile: join(out, "main.mjs"),
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    packages: "external",
    alias: workspaceAliases(),
    logLevel: "error",
    define: { __ARGYLE_ROOT__: JSON.stringify(root) },
    banner: { js: "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);" },
  });
  const { main } = await import(pathToFileURL(join(out, "main.mjs")).href);
  process.exitCode = await main({ root, words: positionals, lanes: Number(values.lanes), ...values });
} finally {
  rmSync(out, { recursive: true, force: true });
}
