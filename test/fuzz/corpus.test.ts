/** Every input of the corpus, and a few hundred mutations of each target's, keep the properties of their target. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { repositoryRoot } from "../conformance/repository-root.ts";
import { createCutter, fuzz, readCorpus } from "./driver.ts";
import { createRandom } from "./mutate.ts";
import { TARGETS } from "./targets/all.ts";

const MUTATIONS = 400;

for (const target of TARGETS) {
  const folder = join(repositoryRoot, "test/fuzz/corpus", target.name);
  test(`${target.name}: the corpus and ${MUTATIONS} mutations of it`, () => {
    const corpus = existsSync(folder) ? readCorpus(folder) : [];
    const cut = createCutter(createRandom(1));
    for (const { file, input } of corpus) assert.doesNotThrow(() => target.check(input, cut), file);
    const { finding } = fuzz(
      target,
      corpus.map(({ input }) => input),
      1,
      (runs) => runs >= MUTATIONS,
    );
    assert.equal(finding?.error, undefined, finding?.input.toString("latin1"));
  });
}
