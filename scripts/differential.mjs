// npm run differential -- [WORD…] [--lanes N] [--record] [--verbose]: the same configuration and the same requests to a real Envoy and to our proxy.
// Envoy is opt-in: ARGYLE_ENVOY=/path/to/envoy, or `envoy` in PATH. Prints each difference, then totals by class.
// --record writes what the always-on replay expects (test/differential/expected.json). Exit code 1 on an unexplained difference, 2 on usage.
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildAll } from "./build.mjs";
import { withBundle } from "./with-bundle.mjs";

const root = resolve(fileURLToPath(import.meta.url), "../..");
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    lanes: { type: "string", default: "3" },
    record: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
  },
});
await buildAll();
process.exitCode = await withBundle("test/differential/main.ts", ({ main }) =>
  main({ root, words: positionals, lanes: Number(values.lanes), ...values }),
);
