// Runs a TypeScript file of test/ that is no test: bundled as the tests are, imported, and its bundle removed afterwards.
import { mkdirSync, rmSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { workspaceAliases } from "./build.mjs";

const root = resolve(fileURLToPath(import.meta.url), "../..");

/** `entry` from the root of the repository; `use` is given the module and awaited. Resolves with what it answers. */
export async function withBundle(entry, use) {
  const out = join(root, "dist/run", String(process.pid));
  mkdirSync(out, { recursive: true });
  try {
    const file = join(out, basename(entry).replace(/\.ts$/, ".mjs"));
    await build({
      entryPoints: [join(root, entry)],
      outfile: file,
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node20",
      packages: "external",
      alias: workspaceAliases(),
      sourcemap: "linked",
      logLevel: "error",
      define: { __ARGYLE_ROOT__: JSON.stringify(root) },
      banner: { js: "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);" },
    });
    return await use(await import(pathToFileURL(file).href));
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}
