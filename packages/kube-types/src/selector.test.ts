import assert from "node:assert/strict";
import { test } from "node:test";
import {
  formatLabelSelector,
  hasLabels,
  matchesFields,
  matchesLabelSelector,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
} from "./selector.ts";

const labels = { app: "web", tier: "front", "app.kubernetes.io/name": "web", size: "3" };
const cases: readonly { readonly text: string; readonly matches: boolean }[] = [
  { text: "", matches: true },
  { text: "app=web", matches: true },
  { text: "app==web,tier=front", matches: true },
  { text: "app!=web", matches: false },
  { text: "missing!=x", matches: true },
  { text: "tier in (front,back)", matches: true },
  { text: "tier in (front, back),app=api", matches: false },
  { text: "tier notin (front)", matches: false },
  { text: "missing notin (front)", matches: true },
  { text: "app.kubernetes.io/name", matches: true },
  { text: "!app", matches: false },
  { text: "!missing, app = web", matches: true },
  { text: "size>2,size<4", matches: true },
  { text: "app=", matches: false },
];
for (const c of cases) {
  test(`label selector "${c.text}" ${c.matches ? "takes" : "refuses"} the labels`, () => {
    const parsed = parseLabelSelector(c.text);
    assert.ok(parsed.ok);
    assert.equal(matchesLabels(parsed.value, labels), c.matches);
  });
}

for (const text of ["a=b=c", "x in a", "in (", "a=b,,", "-a=b", "a in (b c)"]) {
  test(`label selector "${text}" is a problem`, () => assert.equal(parseLabelSelector(text).ok, false));
}

test("a LabelSelector matches as its text does", () => {
  const selector = {
    matchLabels: { app: "web" },
    matchExpressions: [
      { key: "tier", operator: "In", values: ["front", "back"] },
      { key: "old", operator: "DoesNotExist" },
    ],
  } as const;
  assert.equal(formatLabelSelector(selector), "app=web,tier in (front,back),!old");
  assert.equal(matchesLabelSelector(selector, labels), true);
  assert.equal(matchesLabelSelector(selector, { ...labels, old: "" }), false);
  assert.equal(matchesLabelSelector({}, undefined), true);
  assert.equal(hasLabels({ app: "web" }, undefined), false);
});

test("field selectors read nested paths, count absent as empty and undo escapes", () => {
  const object = { metadata: { name: "a,b" }, status: { phase: "Running" } };
  for (const [text, expected] of [
    ["metadata.name=a\\,b,status.phase!=Failed", true],
    ["status.phase==Running,spec.nodeName=", true],
    ["spec.nodeName!=", false],
  ] as const) {
    const parsed = parseFieldSelector(text);
    assert.ok(parsed.ok);
    assert.equal(matchesFields(parsed.value, object), expected, text);
  }
  assert.equal(parseFieldSelector("nonsense").ok, false);
});
