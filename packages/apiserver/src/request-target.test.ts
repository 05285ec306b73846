import assert from "node:assert/strict";
import { test } from "node:test";
import { compareVersions } from "./discovery.ts";
import { parseTarget } from "./request-target.ts";

const cases = [
  { path: "/api/v1/namespaces", is: ["namespaces", undefined, undefined, undefined] },
  { path: "/api/v1/namespaces/x", is: ["namespaces", undefined, "x", undefined] },
  { path: "/api/v1/namespaces/x/finalize", is: ["namespaces", undefined, "x", "finalize"] },
  { path: "/api/v1/namespaces/x/pods", is: ["pods", "x", undefined, undefined] },
  { path: "/api/v1/pods", is: ["pods", undefined, undefined, undefined] },
  { path: "/api/v1/namespaces/x/pods/y/log", is: ["pods", "x", "y", "log"] },
  { path: "/apis/apps/v1/namespaces/x/deployments/y/scale", is: ["deployments", "x", "y", "scale"] },
  {
    path: "/apis/networking.istio.io/v1beta1/virtualservices",
    is: ["virtualservices", undefined, undefined, undefined],
  },
  { path: "/apis/networking.istio.io/v2/virtualservices", is: undefined },
  { path: "/api/v1/pods/y", is: undefined },
  { path: "/api/v1/namespaces/x/nodes", is: undefined },
  { path: "/api/v1/namespaces/x/configmaps/y/status", is: undefined },
  { path: "/api/v1", is: undefined },
  { path: "/version", is: undefined },
];
for (const c of cases) {
  test(`${c.path} is ${c.is === undefined ? "not a resource" : c.is.join(" ")}`, () => {
    const found = parseTarget(c.path);
    assert.deepEqual(found && [found.resource.plural, found.namespace, found.name, found.subresource], c.is);
  });
}

test("what follows a proxy subresource is kept", () => {
  assert.equal(parseTarget("/api/v1/nodes/n/proxy/stats/summary")?.rest, "/stats/summary");
});

test("versions are sorted by Kubernetes' priority", () => {
  const sorted = ["v1alpha3", "v1", "v2beta1", "v1beta1", "v2", "v1beta2"].sort(compareVersions);
  assert.deepEqual(sorted, ["v2", "v1", "v2beta1", "v1beta2", "v1beta1", "v1alpha3"]);
});
