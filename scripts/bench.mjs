// npm run bench -- NAME [--quick] [--json] [--only TEXT]: runs test/bench/NAME.ts and prints its figures.
// npm run soak -- NAME …: the same for test/soak/NAME.ts, long runs that fail (exit code 1) when what must hold did not.
// With --json one line a figure: {bench, figure, value, unit, peer, ratio}. Exit code 0 when it ran, whatever the figures; 2 on a wrong name.
import { existsSync, readdirSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { buildAll } from "./build.mjs";
import { withBundle } from "./with-bundle.mjs";

const root = resolve(fileURLToPath(import.meta.url), "../..");
const args = process.argv.slice(2);
const kind = args.includes("--soak") ? "soak" : "bench";
const folder = join(root, "test", kind);
const onlyAt = args.indexOf("--only");
const only = onlyAt === -1 ? "" : (args.splice(onlyAt, 2)[1] ?? "");
const names = args.filter((arg) => !arg.startsWith("--"));
const known = readdirSync(folder)
  .filter((file) => file.endsWith(".ts"))
  .map((file) => file.slice(0, -3));
if (names.length === 0 || names.some((name) => !existsSync(join(folder, `${name}.ts`)))) {
  console.error(`usage: npm run ${kind} -- NAME… [--quick] [--json] [--only TEXT]\nknown: ${known.join(", ")}`);
  process.exit(2);
}
const isJson = args.includes("--json");
await buildAll();
for (const name of names) {
  await withBundle(`test/${kind}/${name}.ts`, async ({ bench }) => {
    if (!isJson)
      console.log(
        `# ${name} on ${cpus().length} x ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`,
      );
    const figures = await bench({
      isQuick: args.includes("--quick"),
      only,
      note: (text) => process.stderr.write(`${text}\n`),
    });
    for (const figure of figures) {
      const row = { [kind]: name, peer: null, ratio: null, ...figure };
      if (isJson) console.log(JSON.stringify(row));
      else {
        const against = row.ratio === null ? "" : `   ${row.ratio.toFixed(2)} of ${row.peer}`;
        console.log(`${row.figure.padEnd(52)} ${String(row.value).padStart(10)} ${row.unit}${against}`);
      }
    }
  });
}
process.exit(0);
