// Bundles every *.test.ts (or those whose path contains one of the words given) and runs them with node:test.
// Unit tests first, test/e2e last and one file at a time. Closes with `N passed, N failed, N skipped`.
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { run } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { workspaceAliases } from "./build.mjs";

const root = resolve(fileURLToPath(import.meta.url), "../..");
const words = process.argv.slice(2).filter((word) => word !== "--");
const out = join(root, "dist/test", `${process.pid}`);

function findTests(dir) {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === "node_modules" || entry.name === "dist" || entry.name.startsWith(".")) return [];
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return findTests(path);
    return entry.name.endsWith(".test.ts") ? [path] : [];
  });
}

const all = ["packages", "images", "demo", "test"].flatMap((top) => findTests(join(root, top)));
const chosen = all.filter((path) => words.length === 0 || words.some((word) => relative(root, path).includes(word)));
if (chosen.length === 0) {
  console.error(`no test file matches ${words.join(" ")}`);
  process.exit(2);
}
const isEndToEnd = (path) => relative(root, path).startsWith("test/e2e");
const groups = [
  {
    name: "unit and package tests",
    files: chosen.filter((path) => !isEndToEnd(path)),
    concurrency: 2,
    timeout: 60_000,
  },
  { name: "end-to-end tests", files: chosen.filter(isEndToEnd), concurrency: 1, timeout: 300_000 },
];

const started = performance.now();
const totals = { passed: 0, failed: 0, skipped: 0 };
mkdirSync(out, { recursive: true });
try {
  for (const group of groups) {
    if (group.files.length === 0) continue;
    console.log(`# ${group.name}: ${group.files.length} files`);
    await build({
      entryPoints: group.files,
      outdir: out,
      outbase: root,
      outExtension: { ".js": ".mjs" },
      bundle: true,
      splitting: true,
      platform: "node",
      format: "esm",
      target: "node20",
      packages: "external",
      alias: workspaceAliases(),
      sourcemap: "linked",
      logLevel: "error",
      define: { __ARGYLE_ROOT__: JSON.stringify(root) },
      // Tests that import CommonJS packages through the bundle need require; paths are those of the source tree.
      banner: { js: "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);" },
    });
    const files = group.files.map((path) => join(out, relative(root, path).replace(/\.ts$/, ".mjs")));
    await runFiles(files, group);
  }
} finally {
  rmSync(out, { recursive: true, force: true });
}
console.log(`# ${((performance.now() - started) / 1000).toFixed(1)} s`);
console.log(
  `${totals.passed} passed, ${totals.failed} failed${totals.skipped > 0 ? `, ${totals.skipped} skipped` : ""}`,
);
process.exit(totals.failed === 0 ? 0 : 1);

function runFiles(files, group) {
  return new Promise((resolveRun) => {
    const stream = run({
      files,
      concurrency: group.concurrency,
      timeout: group.timeout,
      execArgv: ["--enable-source-maps"],
    });
    stream.on("test:pass", (event) => {
      if (event.details.type === "suite" || isFileEntry(event)) return;
      if (event.skip !== undefined || event.todo !== undefined) {
        totals.skipped += 1;
        console.log(`skipped: ${event.name}${typeof event.skip === "string" ? ` (${event.skip})` : ""}`);
      } else totals.passed += 1;
    });
    stream.on("test:fail", (event) => {
      if (event.details.type === "suite" && event.details.error?.failureType === "subtestsFailed") return;
      if (isFileEntry(event) && event.details.error?.failureType === "subtestsFailed") return;
      totals.failed += 1;
      const cause = event.details.error?.cause ?? event.details.error;
      console.log(`FAILED: ${event.name} (${relative(root, event.file ?? "").replace(/^dist\/test\/\d+\//, "")})`);
      console.log(indent(String(cause?.stack ?? cause)));
      for (let inner = cause?.cause; inner !== undefined && inner !== null; inner = inner.cause)
        console.log(indent(`caused by ${inner.stack ?? inner}`));
    });
    stream.on("test:stderr", (event) => process.stderr.write(event.message));
    stream.on("test:stdout", (event) => {
      if (!/^(TAP version|#|ok|not ok|\s|1\.\.)/.test(event.message)) process.stdout.write(event.message);
    });
    stream.on("end", resolveRun);
    stream.resume();
  });
}

function isFileEntry(event) {
  return event.nesting === 0 && /\.mjs$/.test(event.name);
}

function indent(text) {
  return text
    .split("\n")
    .map((line) => `    ${line}`)
    .join("\n");
}
