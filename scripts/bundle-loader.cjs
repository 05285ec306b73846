// Runs a bundle with V8's code cache, copied to dist/loader.cjs by the build. Node 20 has no compile cache of its own (22.1 has, and writes it at
// exit only, which a process that is killed never reaches). The cache is made once, after the program has run for a while, so that functions compiled
// lazily during start are in it. V8 checks its own version, its flags and the length of the source, not the source itself: the file's time, which each
// build renews, is in the cache's name, or a bundle of the same length would run the code of the one before it.
"use strict";
const { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } = require("node:fs");
const { Module } = require("node:module");
const { basename, dirname, join } = require("node:path");
const v8 = require("node:v8");
const vm = require("node:vm");

const CACHE_AFTER_MS = 4000;

// V8 compares the flags when it is given a cache, and Node's own modules come with one each: `--max-semi-space-size=1` on the command line makes it
// compile them all from source (twice the processor time of a start, and a megabyte). So the young generation is kept at the size that it begins with
// once the program is loaded, and the flag is put back for the moment in which a cache is made.
const GROWTH = "--semi-space-growth-factor";
const DEFAULT_GROWTH = `${GROWTH}=2`;
const NO_GROWTH = `${GROWTH}=1`;

module.exports = function runBundle(bundle, parent, { smallHeap = false } = {}) {
  const source = readFileSync(bundle, "utf8");
  const cacheFile = join(
    dirname(bundle),
    ".code-cache",
    `${basename(bundle)}-${source.length}-${statSync(bundle).mtimeMs}-${v8.cachedDataVersionTag()}`,
  );
  let cachedData;
  try {
    cachedData = readFileSync(cacheFile);
  } catch {
    // The first run: it is made below.
  }
  const script = new vm.Script(Module.wrap(source), {
    filename: bundle,
    cachedData,
    importModuleDynamically: vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  if (cachedData === undefined || script.cachedDataRejected) {
    setTimeout(() => {
      try {
        mkdirSync(dirname(cacheFile), { recursive: true });
        const temporary = `${cacheFile}.${process.pid}`;
        if (smallHeap) v8.setFlagsFromString(DEFAULT_GROWTH);
        const made = script.createCachedData();
        if (smallHeap) v8.setFlagsFromString(NO_GROWTH);
        writeFileSync(temporary, made);
        renameSync(temporary, cacheFile);
        // Those of earlier builds; a process that runs one has read it long ago.
        for (const name of readdirSync(dirname(cacheFile)))
          if (name.startsWith(`${basename(bundle)}-`) && name !== basename(cacheFile))
            rmSync(join(dirname(cacheFile), name), { force: true });
      } catch {
        // A read-only checkout: the next start compiles again, nothing else is lost.
      }
    }, CACHE_AFTER_MS).unref();
  }
  script.runInThisContext()(parent.exports, parent.require, parent, bundle, dirname(bundle));
  if (smallHeap) v8.setFlagsFromString(NO_GROWTH);
};
