import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpRoute } from "@argyle/kube-types";
import { perFilterConfig } from "./route-policy.ts";

const fault: HttpRoute["fault"] = { abort: { httpStatus: 503, percentage: { value: 100 } } };
const corsPolicy: HttpRoute["corsPolicy"] = { allowOrigins: [{ exact: "https://shop" }] };

const cases: readonly { readonly name: string; readonly route: HttpRoute; readonly filters: readonly string[] }[] = [
  { name: "a fault alone", route: { fault }, filters: ["envoy.filters.http.fault"] },
  { name: "CORS alone", route: { corsPolicy }, filters: ["envoy.filters.http.cors"] },
  { name: "both", route: { fault, corsPolicy }, filters: ["envoy.filters.http.fault", "envoy.filters.http.cors"] },
];
for (const { name, route, filters } of cases)
  test(`a route is given the configuration of the filters that it sets and no empty one: ${name}`, () => {
    assert.deepEqual(Object.keys(perFilterConfig(route) ?? {}), filters);
  });

test("a route without filters of its own says nothing of them", () => {
  assert.equal(perFilterConfig({}), undefined);
});
