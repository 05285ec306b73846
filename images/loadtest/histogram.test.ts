import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createHistogram } from "./histogram.ts";

test("an empty histogram has quantiles of 0", () => assert.equal(createHistogram().quantile(0.99), 0));

test("quantiles are within 1 % of the exact ones, and never above the maximum", () => {
  const durations = fc.array(fc.double({ min: 0.02, max: 100_000, noNaN: true }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(durations, fc.constantFrom(0.5, 0.9, 0.99, 1), (values, share) => {
      const histogram = createHistogram();
      for (const value of values) histogram.add(value);
      const exact = [...values].sort((a, b) => a - b)[Math.ceil(share * values.length) - 1] ?? 0;
      const found = histogram.quantile(share);
      assert.ok(found <= histogram.max && Math.abs(found - exact) <= exact * 0.0101, `${found} for ${exact}`);
    }),
  );
});
