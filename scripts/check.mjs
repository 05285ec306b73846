// Everything CI checks, in order of cost: types, lint and format, layers, dead code, licences, then the tests.
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(fileURLToPath(import.meta.url), "../..");
const node = process.execPath;
const bin = (name) => join(root, "node_modules/.bin", name);
// The first step installs what is missing, so that the others find their tools.
const steps = [
  ["install and build", node, [join(root, "scripts/start.mjs"), "check"]],
  ["types", bin("tsc"), ["-p", root]],
  ["lint and format", bin("biome"), ["check", "--error-on-warnings", root]],
  ["layers", node, [join(root, "scripts/check-layers.mjs")]],
  ["dead code", bin("knip"), []],
  ["licences", node, [join(root, "scripts/notices.mjs"), "--check"]],
  ["tests", node, [join(root, "scripts/test.mjs"), ...process.argv.slice(2)]],
];
for (const [name, command, args] of steps) {
  const started = performance.now();
  const result = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  if (result.error !== undefined || result.status !== 0) {
    console.error(`check: ${name} failed after ${seconds} s${result.error ? `: ${result.error.message}` : ""}`);
    process.exit(1);
  }
  if (name !== "tests") console.log(`check: ${name} ok (${seconds} s)`);
}
