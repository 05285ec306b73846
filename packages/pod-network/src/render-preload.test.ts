import assert from "node:assert/strict";
import test from "node:test";
import { nodeOptionsFor, renderPreload } from "./render-preload.ts";

const options = {
  preloadPath: "/a b/preload.cjs",
  runDir: "/run",
  podDir: "/run/10.244.0.9",
  podIP: "10.244.0.9",
  podName: 'web"1',
  namespace: "shop",
};

/** Runs the text with a require of ours and returns [required path, configuration]. */
function evaluate(text: string): [string, Record<string, unknown>] {
  let required = "";
  let config: Record<string, unknown> = {};
  const require = (path: string) => {
    required = path;
    return {
      install: (given: Record<string, unknown>) => {
        config = given;
      },
    };
  };
  new Function("require", text)(require);
  return [required, config];
}

test("the file requires the shared preload with this pod's configuration", () => {
  const [required, config] = evaluate(renderPreload({ ...options, loadBalancerPorts: { 80: "10.96.0.1" } }));
  assert.equal(required, "/a b/preload.cjs");
  assert.equal(config.podName, 'web"1');
  assert.equal(config.preloadFile, "/run/10.244.0.9/preload.cjs");
  assert.deepEqual(config.loadBalancerPorts, { 80: "10.96.0.1" });
  assert.deepEqual(config.includeOutboundIPRanges, ["*"]);
  assert.deepEqual(config.excludeOutboundPorts, []);
});

test("Istio's annotations are read", () => {
  const prefix = "traffic.sidecar.istio.io/";
  const annotations = {
    [`${prefix}includeOutboundIPRanges`]: "10.0.0.0/8, nonsense,192.168.0.1",
    [`${prefix}excludeOutboundIPRanges`]: "*",
    [`${prefix}includeOutboundPorts`]: "80, 443",
    [`${prefix}excludeOutboundPorts`]: "6379,,x,70000",
    other: "ignored",
  };
  const [, config] = evaluate(renderPreload({ ...options, annotations }));
  assert.deepEqual(config.includeOutboundIPRanges, ["10.0.0.0/8", "192.168.0.1"]);
  assert.deepEqual(config.excludeOutboundIPRanges, ["*"]);
  assert.deepEqual(config.includeOutboundPorts, [80, 443]);
  assert.deepEqual(config.excludeOutboundPorts, [6379]);
  const [, nothing] = evaluate(
    renderPreload({ ...options, annotations: { [`${prefix}includeOutboundIPRanges`]: "" } }),
  );
  assert.deepEqual(nothing.includeOutboundIPRanges, []);
});

test("NODE_OPTIONS: ours first, paths with blanks in quotes", () => {
  assert.equal(nodeOptionsFor("/run/p.cjs", undefined), "--require=/run/p.cjs");
  assert.equal(nodeOptionsFor("/run/p.cjs", " "), "--require=/run/p.cjs");
  assert.equal(nodeOptionsFor("/run/p.cjs", "--no-warnings"), "--require=/run/p.cjs --no-warnings");
  assert.equal(nodeOptionsFor('/a b/"p.cjs', undefined), '--require="/a b/\\"p.cjs"');
});
