/**
 * Translation, whole: `golden/<case>.yaml` (manifests, and who asks for what) in, `golden/<case>.json` out; `UPDATE_GOLDEN=1` writes.
 * Every resource must also be a valid Envoy message: it is encoded with the descriptors of Envoy's protos.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { KubeObject } from "@argyle/kube-types";
import { CLUSTER_TYPE, createXdsRegistry, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE, SECRET_TYPE } from "@argyle/xds";
import { createMeshCollections } from "../src/collections.ts";
import { createConfigSource } from "../src/config-source.ts";
import { parseObjects } from "../src/file-inputs.ts";
import { parseMeshConfig } from "../src/model/mesh-config.ts";
import { testNode } from "./test-node.ts";

declare const __ARGYLE_ROOT__: string;

interface Case extends KubeObject {
  readonly node: Parameters<typeof testNode>[0];
  readonly select?: Readonly<Record<"clusters" | "listeners" | "routes" | "endpoints" | "secrets", readonly string[]>>;
  /** Listeners of which only names and matches of the chains are kept. */
  readonly chains?: readonly string[];
}

const dir = join(__ARGYLE_ROOT__, "packages/pilot/test/golden");
const TYPES = {
  clusters: CLUSTER_TYPE,
  listeners: LISTENER_TYPE,
  routes: ROUTE_TYPE,
  endpoints: ENDPOINT_TYPE,
  secrets: SECRET_TYPE,
} as const;
const assets = join(__ARGYLE_ROOT__, "dist/assets/xds.binpb");
const registry = existsSync(assets) ? createXdsRegistry(readFileSync(assets)) : undefined;
const mesh = parseObjects(readFileSync(join(dir, "mesh.yaml"), "utf8"));

for (const file of readdirSync(dir).filter((name) => name.endsWith(".yaml") && name !== "mesh.yaml")) {
  test(`golden ${file}`, () => {
    const [head, ...objects] = parseObjects(readFileSync(join(dir, file), "utf8"));
    const { node, select, chains } = head as Case;
    const all = [...mesh, ...objects];
    const config = all.find((object) => object.kind === "ConfigMap") as { data?: Record<string, string> } | undefined;
    const source = createConfigSource(createMeshCollections(parseMeshConfig(config?.data?.mesh ?? "")));
    source.apply(all.map((object) => ({ type: "set", object })));
    const proxy = testNode(node);
    const out: Record<string, Record<string, unknown>> = {};
    for (const [key, typeUrl] of Object.entries(TYPES)) {
      const names = select?.[key as keyof typeof TYPES] ?? [];
      const found = source.resources(proxy, typeUrl, names.length === 0 ? "*" : new Set(names));
      for (const [name, resource] of found) {
        const encoded = registry?.encode(typeUrl, resource);
        assert.deepEqual(encoded?.ok === false ? encoded.error : [], [], `${name} is not a valid message`);
        if (names.includes(name)) out[key] = { ...out[key], [name]: resource };
        if (key === "listeners" && chains?.includes(name))
          out.chains = { ...out.chains, [name]: chainSummary(resource) };
      }
      for (const name of names) assert.ok(found.has(name), `${key} has no ${name}`);
    }
    const text = `${JSON.stringify(out, null, 1)}\n`;
    const golden = join(dir, file.replace(/\.yaml$/, ".json"));
    if (process.env.UPDATE_GOLDEN === "1") writeFileSync(golden, text);
    assert.deepEqual(JSON.parse(text), JSON.parse(readFileSync(golden, "utf8")));
  });
}

function chainSummary(listener: object): unknown {
  const { filter_chains: list } = listener as {
    readonly filter_chains: readonly {
      name?: string;
      filter_chain_match?: object;
      transport_socket?: { name: string };
    }[];
  };
  return list.map((chain) => ({
    name: chain.name,
    match: chain.filter_chain_match,
    transport_socket: chain.transport_socket?.name,
  }));
}
