// Writes dist/assets/schemas.json: the JSON schema of every kind that is served, with what it references.
// Sources are npm packages, read as text and never executed: Kubernetes from @kubernetes/client-node's generated models,
// Istio from the declaration files of @kubernetes-models/istio. What they lack is in build/hand-tables.mjs.
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { istioSchemas } from "./build/istio-schemas.mjs";
import { kubernetesSchemas } from "./build/kubernetes-schemas.mjs";

/** `{definitions: {name: schema}, kinds: [[group, version, kind, definition name]]}`. */
export async function buildAssets(outDir) {
  const require = createRequire(import.meta.url);
  const models = join(dirname(require.resolve("@kubernetes/client-node")), "gen/models");
  const istio = dirname(require.resolve("@kubernetes-models/istio/package.json"));
  const builtIn = kubernetesSchemas(models);
  const custom = istioSchemas(istio);
  const schemas = {
    definitions: { ...builtIn.definitions, ...custom.definitions },
    kinds: [...builtIn.kinds, ...custom.kinds],
  };
  mkdirSync(outDir, { recursive: true });
  writeFileSync(join(outDir, "schemas.json"), JSON.stringify(schemas));
}
