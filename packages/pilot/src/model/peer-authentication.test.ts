/** Precedence: workload, namespace, mesh; the oldest of one level; UNSET takes what is above it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { MutualTlsMode, PeerAuthentication } from "@argyle/kube-types";
import type { Config } from "./config.ts";
import { mtlsModeOfPort, mtlsPolicyOf } from "./peer-authentication.ts";

interface PolicySpec {
  readonly in: "mesh" | "shop" | "other";
  readonly mode?: MutualTlsMode;
  readonly for?: string;
  readonly ports?: Readonly<Record<string, MutualTlsMode>>;
  readonly at?: number;
  readonly name?: string;
}

const cases: readonly {
  readonly name: string;
  readonly policies: readonly PolicySpec[];
  readonly mode: string;
  readonly ports?: Readonly<Record<string, string>>;
}[] = [
  { name: "nothing", policies: [], mode: "PERMISSIVE" },
  { name: "the mesh's", policies: [{ in: "mesh", mode: "STRICT" }], mode: "STRICT" },
  {
    name: "the namespace's over the mesh's",
    policies: [
      { in: "mesh", mode: "STRICT" },
      { in: "shop", mode: "DISABLE" },
    ],
    mode: "DISABLE",
  },
  {
    name: "the workload's over the namespace's",
    policies: [
      { in: "shop", mode: "STRICT" },
      { in: "shop", mode: "PERMISSIVE", for: "web" },
    ],
    mode: "PERMISSIVE",
  },
  { name: "another namespace's", policies: [{ in: "other", mode: "STRICT" }], mode: "PERMISSIVE" },
  { name: "another workload's", policies: [{ in: "shop", mode: "STRICT", for: "db" }], mode: "PERMISSIVE" },
  {
    name: "a selector in the root namespace counts nowhere",
    policies: [{ in: "mesh", mode: "STRICT", for: "web" }],
    mode: "PERMISSIVE",
  },
  {
    name: "UNSET takes the level above",
    policies: [
      { in: "mesh", mode: "STRICT" },
      { in: "shop", mode: "UNSET" },
      { in: "shop", mode: "UNSET", for: "web" },
    ],
    mode: "STRICT",
  },
  {
    name: "no mtls at all takes the level above",
    policies: [
      { in: "mesh", mode: "STRICT" },
      { in: "shop", for: "web" },
    ],
    mode: "STRICT",
  },
  {
    name: "the oldest of one level",
    policies: [
      { in: "shop", mode: "STRICT", at: 20, name: "a" },
      { in: "shop", mode: "DISABLE", at: 10, name: "b" },
    ],
    mode: "DISABLE",
  },
  {
    name: "the oldest of a workload's, whole: ports are not merged",
    policies: [
      { in: "shop", mode: "STRICT", for: "web", at: 10, name: "b" },
      { in: "shop", mode: "DISABLE", for: "web", at: 20, name: "a", ports: { "80": "DISABLE" } },
    ],
    mode: "STRICT",
    ports: { "80": "STRICT" },
  },
  {
    name: "ports of the workload's policy",
    policies: [{ in: "shop", mode: "STRICT", for: "web", ports: { "80": "DISABLE", "81": "UNSET" } }],
    mode: "STRICT",
    ports: { "80": "DISABLE", "81": "STRICT", "82": "STRICT" },
  },
  {
    name: "a port that is UNSET in a policy that is UNSET",
    policies: [
      { in: "mesh", mode: "STRICT" },
      { in: "shop", for: "web", ports: { "80": "UNSET", "81": "PERMISSIVE" } },
    ],
    mode: "STRICT",
    ports: { "80": "STRICT", "81": "PERMISSIVE" },
  },
  {
    name: "ports without a selector count for nobody",
    policies: [{ in: "shop", mode: "STRICT", ports: { "80": "DISABLE" } }],
    mode: "STRICT",
    ports: { "80": "STRICT" },
  },
];

for (const c of cases) {
  test(`PeerAuthentication: ${c.name}`, () => {
    const workload = { namespace: "shop", labels: { app: "web" } };
    const policy = mtlsPolicyOf(c.policies.map(configOf), workload, "istio-system");
    assert.equal(policy.mode, c.mode);
    for (const [port, mode] of Object.entries(c.ports ?? {})) assert.equal(mtlsModeOfPort(policy, Number(port)), mode);
  });
}

function configOf(spec: PolicySpec): Config<PeerAuthentication["spec"]> {
  return {
    kind: "PeerAuthentication",
    apiVersion: "security.istio.io/v1",
    name: spec.name ?? "default",
    namespace: spec.in === "mesh" ? "istio-system" : spec.in,
    createdAt: spec.at ?? 1,
    labels: {},
    annotations: {},
    spec: {
      ...(spec.for === undefined ? {} : { selector: { matchLabels: { app: spec.for } } }),
      ...(spec.mode === undefined ? {} : { mtls: { mode: spec.mode } }),
      ...(spec.ports === undefined
        ? {}
        : { portLevelMtls: Object.fromEntries(Object.entries(spec.ports).map(([port, mode]) => [port, { mode }])) }),
    },
  };
}
