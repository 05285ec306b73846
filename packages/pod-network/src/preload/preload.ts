/**
 * The capture preload: makes a Node program live in the pod network without knowing it. Bundled to dist/preload.cjs and required by each
 * pod's own preload.cjs (NODE_OPTIONS=--require, which unlike --import also runs inside Workers).
 * Invariant: installed once per thread, completely or not at all; nothing but node: and this package is loaded.
 */
import { existsSync, readFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import type { PreloadConfig } from "./config.ts";
import { patchAddresses } from "./patch-addresses.ts";
import { patchChildren } from "./patch-children.ts";
import { patchConnect } from "./patch-connect.ts";
import { patchDns } from "./patch-dns.ts";
import { patchFiles } from "./patch-files.ts";
import { patchListen } from "./patch-listen.ts";
import { privateNode } from "./private-node.ts";
import { createRouter } from "./route.ts";

const INSTALLED = Symbol.for("argyle.preload.installed");

export function install(config: PreloadConfig): void {
  if (Reflect.get(globalThis, INSTALLED) === true) return;
  const node = privateNode();
  const router = createRouter(config, {
    exists: existsSync,
    readName: (file) => readIfThere(join(config.runDir, "dns", file)),
  });
  patchAddresses(config, node);
  patchConnect(config, router, node);
  patchListen(config, node);
  patchDns(router);
  patchChildren(config, node);
  patchFiles(config);
  syncBuiltinESMExports();
  Object.defineProperty(globalThis, INSTALLED, { value: true });
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
