// The one way in: checks Node, installs when the lockfile changed, builds what is stale, then runs the command line.
// Node built-ins only, since nothing is installed yet when a newcomer types `npm start` or `npm test`.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, lstatSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = resolve(fileURLToPath(import.meta.url), "../..");
const [command = "up", ...rest] = process.argv.slice(2);
const wantsTests = command === "test" || command === "check";
// Commands whose output is read by machines or shells stay silent unless something has to be done.
const chatty = command === "up" || wantsTests;

checkNode();
install();
const { buildAll } = await import(pathToFileURL(join(root, "scripts/build.mjs")).href);
const buildStarted = performance.now();
const built = await buildAll();
if (built.length > 0 && chatty) phase("build", `bundled into dist/`, performance.now() - buildStarted);

if (command === "test") {
  process.exit(
    spawnSync(process.execPath, [join(root, "scripts/test.mjs"), ...rest], { stdio: "inherit", cwd: root }).status ?? 1,
  );
} else if (command !== "check") {
  process.argv = [process.argv[0] ?? "node", join(root, "argyle"), command, ...rest];
  createRequire(import.meta.url)(join(root, "dist/cli.cjs"));
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  console.error(`argyle needs Node.js 20.19 or newer; this is ${process.version} at ${process.execPath}.`);
  console.error(
    "Install a current Node.js (https://nodejs.org) or switch to one with your version manager, then try again.",
  );
  process.exit(1);
}

/** Runs `npm ci` when there is no install or the lockfile is another one. A developer's install keeps its test tools. */
function install() {
  // A linked node_modules belongs to another checkout: installing here would take it apart there.
  if (lstatSync(join(root, "node_modules"), { throwIfNoEntry: false })?.isSymbolicLink()) return;
  const lockfile = join(root, "package-lock.json");
  const stamp = join(root, "node_modules/.argyle-install");
  const hash = createHash("sha256").update(readFileSync(lockfile)).digest("hex");
  const [doneHash, doneKind] = existsSync(stamp) ? readFileSync(stamp, "utf8").split(" ") : [];
  const hasTestTools = existsSync(join(root, "node_modules/typescript"));
  const kind = wantsTests || hasTestTools ? "all" : "run";
  if (doneHash === hash && (doneKind === "all" || doneKind === kind)) return;
  const isFirst = !existsSync(join(root, "node_modules"));
  if (!isFirst && doneHash === undefined && hasTestTools && lockIsInstalled(lockfile)) {
    writeFileSync(stamp, `${hash} all`);
    return;
  }
  console.error(
    `install  ${isFirst ? "first start" : "the lockfile changed"}: fetching about ${kind === "all" ? 90 : 65} MB from the npm registry`,
  );
  const started = performance.now();
  const args = [
    "ci",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
    ...(kind === "run" ? ["--omit=dev"] : []),
  ];
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const result = spawnSync(npm, args, { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
  if (result.error !== undefined || result.status !== 0) {
    console.error(`install  failed: ${result.error?.message ?? `npm ci ended with ${result.status}`}`);
    console.error("Check the connection to the npm registry (`npm ping`), free disk space, and try `npm ci` yourself.");
    process.exit(1);
  }
  writeFileSync(stamp, `${hash} ${kind}`);
  phase("install", "npm packages", performance.now() - started);
}

/** npm writes node_modules/.package-lock.json after each install: newer than the lockfile means it is in step. */
function lockIsInstalled(lockfile) {
  const marker = join(root, "node_modules/.package-lock.json");
  return existsSync(marker) && statSync(marker).mtimeMs >= statSync(lockfile).mtimeMs;
}

function phase(name, what, ms) {
  console.error(`${name.padEnd(8)} ${what.padEnd(44)} ${(ms / 1000).toFixed(1)} s`);
}
