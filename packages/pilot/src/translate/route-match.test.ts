import assert from "node:assert/strict";
import { test } from "node:test";
import type { StringMatch } from "@argyle/kube-types";
import { routeMatch } from "./route-match.ts";

const without = (value: StringMatch) => routeMatch({ withoutHeaders: { "end-user": value } }).headers;

const cases: readonly { readonly name: string; readonly value: StringMatch; readonly want: object }[] = [
  {
    name: "without a value: an absent header does not have it",
    value: { exact: "jason" },
    want: { string_match: { exact: "jason" }, treat_missing_header_as_empty: true },
  },
  { name: "without the star: the header must be absent", value: { regex: "*" }, want: { present_match: true } },
  {
    name: "without any text: an absent header is the empty text, which .* takes",
    value: { regex: ".*" },
    want: { string_match: { safe_regex: { regex: ".*" } }, treat_missing_header_as_empty: true },
  },
];
for (const c of cases) {
  test(c.name, () => {
    assert.deepEqual(JSON.parse(JSON.stringify(without(c.value))), [
      { name: "end-user", invert_match: true, ...c.want },
    ]);
  });
}
