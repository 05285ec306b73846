// Checks that dependencies point down only. The table is the architecture: a package may import packages of lower layers,
// and of its own layer only where `sameLayer` says so. testkit may be imported by tests only. Programs import no packages but those listed.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(fileURLToPath(import.meta.url), "../..");
const LAYER = {
  core: 0,
  "kube-types": 0,
  codec: 0,
  xds: 1,
  "kube-client": 1,
  "pod-network": 1,
  telemetry: 1,
  testkit: 1,
  apiserver: 2,
  controllers: 2,
  kubelet: 2,
  "kube-proxy": 2,
  pilot: 2,
  proxy: 2,
  observe: 2,
  console: 3,
  supervisor: 4,
  cluster: 4,
  cli: 5,
};
const SAME_LAYER = new Set(["kube-types>core", "codec>core", "cluster>supervisor"]);
const IMAGE_MAY_IMPORT = new Set(["core", "pilot"]);

const problems = [];
for (const file of sources(join(root, "packages"))) {
  const from = relative(join(root, "packages"), file).split("/")[0];
  const isTest = /\.test\.ts$/.test(file) || file.includes("/test/");
  if (!(from in LAYER)) problems.push(`${relative(root, file)}: package ${from} is not in the layer table`);
  for (const to of imports(file)) {
    if (to.includes("/")) problems.push(`${relative(root, file)}: deep import @argyle/${to}`);
    else if (to === "testkit" && !isTest && from !== "testkit")
      problems.push(`${relative(root, file)}: testkit is for tests only`);
    else if (to !== from && !isTest && LAYER[to] >= LAYER[from] && !SAME_LAYER.has(`${from}>${to}`))
      problems.push(`${relative(root, file)}: ${from} (L${LAYER[from]}) must not import ${to} (L${LAYER[to]})`);
  }
}
for (const file of sources(join(root, "images"))) {
  for (const to of imports(file)) {
    if (!IMAGE_MAY_IMPORT.has(to)) problems.push(`${relative(root, file)}: images must not import @argyle/${to}`);
  }
}
for (const file of sources(join(root, "demo"))) {
  for (const to of imports(file)) {
    if (!file.endsWith(".test.ts")) problems.push(`${relative(root, file)}: the demo must not import @argyle/${to}`);
  }
}
for (const problem of problems) console.error(problem);
console.log(problems.length === 0 ? "layers: every import points down" : `layers: ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);

function sources(dir) {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === "node_modules") return [];
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return sources(path);
    return entry.name.endsWith(".ts") ? [path] : [];
  });
}

function imports(file) {
  return [...readFileSync(file, "utf8").matchAll(/from "@argyle\/([^"]+)"/g)].map((match) => match[1]);
}
