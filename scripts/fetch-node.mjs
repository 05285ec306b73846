// Fetches other versions of Node.js from the npm packages node-linux-<arch> into the user's cache: ~/.cache/argyle/node/vNN/node.
// Used by the end-to-end test that starts the product on each. Linux only.
//   node scripts/fetch-node.mjs 22 24
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { installPrograms, withPackageFile } from "./npm-tarball.mjs";

/** Exact versions: the same Node.js for everyone. */
const VERSIONS = { 22: "22.23.5", 24: "24.22.3" };

function fetchNode(major) {
  const target = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "argyle/node", `v${major}`);
  if (existsSync(join(target, "node"))) return join(target, "node");
  if (process.platform !== "linux") throw new Error("the packaged Node.js is for Linux only");
  const version = VERSIONS[major];
  if (version === undefined) throw new Error(`not in the list: ${Object.keys(VERSIONS).join(", ")}`);
  return withPackageFile(`node-linux-${process.arch}@${version}`, "bin/node", (program) => {
    installPrograms(["node"], dirname(program), target);
    return join(target, "node");
  });
}

let failed = false;
for (const major of process.argv.slice(2)) {
  try {
    console.log(fetchNode(major));
  } catch (error) {
    failed = true;
    console.error(`Node.js ${major}: ${error.message}`);
  }
}
process.exit(failed ? 1 : 0);
