/** The command `npm run fuzz`: one target for some seconds; what it finds is written to the corpus. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fuzz, readCorpus } from "./driver.ts";
import { TARGETS } from "./targets/all.ts";

export interface Options {
  readonly root: string;
  readonly names: readonly string[];
  readonly seconds: number;
  readonly seed: number;
}

/** The exit code. */
export function main({ root, names, seconds, seed }: Options): number {
  const chosen = TARGETS.filter(({ name }) => names.includes(name) || names.includes("all"));
  if (chosen.length === 0 || !(seconds > 0) || !Number.isInteger(seed)) {
    const known = TARGETS.map(({ name }) => name).join(", ");
    console.error(`usage: npm run fuzz -- TARGET… [--seconds N] [--seed N]\ntargets: all, ${known}`);
    return 2;
  }
  let found = 0;
  for (const target of chosen) {
    const folder = join(root, "test/fuzz/corpus", target.name);
    const corpus = existsSync(folder) ? readCorpus(folder).map(({ input }) => input) : [];
    const end = performance.now() + seconds * 1000;
    const { runs, finding } = fuzz(target, corpus, seed, (done) => done % 64 === 0 && performance.now() > end);
    console.log(`${target.name}: ${runs} inputs, seed ${seed}: ${finding === undefined ? "nothing found" : "FOUND"}`);
    if (finding === undefined) continue;
    found += 1;
    mkdirSync(folder, { recursive: true });
    const file = join(folder, `found-${createHash("sha256").update(finding.input).digest("hex").slice(0, 8)}`);
    writeFileSync(file, finding.input);
    console.log(`  ${file}\n  ${JSON.stringify(finding.input.toString("latin1"))}\n  ${finding.error.stack}`);
  }
  return found === 0 ? 0 : 1;
}
