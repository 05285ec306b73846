// Makes dist/assets/xds.binpb: the descriptors of every message that we put on the wire, as one FileDescriptorSet.
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildDescriptorSet } from "./build/descriptor-set.mjs";
import { NEWER_FIELDS, ROOTS } from "./build/roots.mjs";

const own = join(dirname(fileURLToPath(import.meta.url)), "build/protos");

export async function buildAssets(outDir) {
  const deps = join(dirname(fileURLToPath(import.meta.resolve("@grpc/grpc-js-xds/package.json"))), "deps");
  const includeDirs = [own, ...["envoy-api", "xds", "googleapis", "protoc-gen-validate"].map((dir) => join(deps, dir))];
  writeFileSync(join(outDir, "xds.binpb"), buildDescriptorSet(ROOTS, includeDirs, NEWER_FIELDS));
}
