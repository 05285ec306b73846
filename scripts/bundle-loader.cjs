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

// Flags are set once the program is loaded and its cache is there: V8 compares them when it is given a cache, and each of Node's own modules comes with
// one. `--max-semi-space-size=1` on the command line has them all compiled from source, which doubles the processor time of a start. Each flag comes with
// the first V8 that no longer knows it, if there is one.
module.exports = function runBundle(bundle, parent, flags = []) {
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
  const setFlags = () => {
    for (const [flag, goneIn = Number.POSITIVE_INFINITY] of flags)
      if (Number.parseInt(process.versions.v8, 10) < goneIn) v8.setFlagsFromString(flag);
  };
  const isCached = cachedData !== undefined && script.cachedDataRejected !== true;
  if (!isCached) {
    setTimeout(() => {
      try {
        mkdirSync(dirname(cacheFile), { recursive: true });
        const temporary = `${cacheFile}.${process.pid}`;
        writeFileSync(temporary, script.createCachedData());
        renameSync(temporary, cacheFile);
        // Those of earlier builds; a process that runs one has read it long ago.
        for (const name of readdirSync(dirname(cacheFile)))
          if (name.startsWith(`${basename(bundle)}-`) && name !== basename(cacheFile))
            rmSync(join(dirname(cacheFile), name), { force: true });
      } catch {
        // A read-only checkout: the next start compiles again, nothing else is lost.
      }
      setFlags();
    }, CACHE_AFTER_MS).unref();
  }
  script.runInThisContext()(parent.exports, parent.require, parent, bundle, dirname(bundle));
  if (isCached) setFlags();
};
