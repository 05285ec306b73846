// Third-party notices: every package that a user's install brings (no test tools), with its licence and its text. Reads the lockfile and node_modules.
//   npm run --silent notices > NOTICES        `-- --check` prints problems only; exit code 1 when a package names no licence, or one that is not on the list below
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(fileURLToPath(import.meta.url), "../..");
/** Licences that may be handed on with an Apache-2.0 project. */
const ALLOWED = new Set([
  "0BSD",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "BlueOak-1.0.0",
  "CC0-1.0",
  "ISC",
  "MIT",
  "PostgreSQL",
  "Python-2.0",
  "Unlicense",
]);

const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
const isCheck = process.argv.includes("--check");
const problems = [];
for (const [path, entry] of Object.entries(packages)) {
  if (!path.includes("node_modules/") || entry.link === true || entry.dev === true) continue;
  const folder = join(root, path);
  // Platform packages of other platforms are not installed.
  if (!existsSync(join(folder, "package.json"))) continue;
  const { name, version, license, licenses } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const named =
    typeof license === "string" ? license : (license?.type ?? licenses?.map(({ type }) => type).join(" OR "));
  if (named === undefined) problems.push(`${name}@${version} names no licence`);
  else if (!alternatives(named).some((one) => one.every((id) => ALLOWED.has(id))))
    problems.push(`${name}@${version} has the licence ${named}`);
  if (isCheck) continue;
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file));
  console.log(`${"=".repeat(80)}\n${name} ${version}   ${named ?? "no licence named"}\n`);
  for (const file of files.sort()) console.log(`${readFileSync(join(folder, file), "utf8").trim()}\n`);
}
for (const problem of problems) console.error(`notices: ${problem}`);
process.exit(problems.length === 0 ? 0 : 1);

/** SPDX `(A OR B) AND C` as far as npm packages use it: a list of alternatives, each a list of licences that all apply. */
function alternatives(expression) {
  return expression
    .replace(/[()]/g, "")
    .split(" OR ")
    .map((one) => one.split(" AND ").map((id) => id.trim()));
}
