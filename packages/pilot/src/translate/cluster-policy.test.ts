import assert from "node:assert/strict";
import { test } from "node:test";
import { outboundHttp } from "./cluster-policy.ts";

for (const [name, protocol, http, upgradesToHttp2, isGateway, wanted] of [
  ["plain HTTP", "HTTP", {}, false, false, "http1"],
  ["gRPC", "GRPC", {}, false, false, "http2"],
  ["a sniffed port", "Auto", {}, false, false, "client"],
  ["a sniffed port at a gateway", "Auto", {}, false, true, "http1"],
  ["the mesh upgrades", "HTTP", {}, true, false, "http2"],
  ["the mesh upgrades a sniffed port", "Auto", {}, true, false, "http2"],
  ["the mesh upgrades, the rule does not", "HTTP", { h2UpgradePolicy: "DO_NOT_UPGRADE" }, true, false, "http1"],
  ["a rule of DEFAULT says nothing", "HTTP", { h2UpgradePolicy: "DEFAULT" }, true, false, "http2"],
  ["the rule upgrades", "HTTP", { h2UpgradePolicy: "UPGRADE" }, false, false, "http2"],
  [
    "not upgrading does not take gRPC's HTTP/2 away",
    "GRPC",
    { h2UpgradePolicy: "DO_NOT_UPGRADE" },
    false,
    false,
    "http2",
  ],
  ["the client's comes first", "HTTP", { h2UpgradePolicy: "UPGRADE", useClientProtocol: true }, true, false, "client"],
] as const)
  test(`HTTP version upstream: ${name}`, () =>
    assert.equal(outboundHttp(protocol, { http }, { upgradesToHttp2 }, isGateway), wanted));
