import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { tempDir } from "@argyle/testkit";
import { mapPath, packageRoot } from "./patch-files.ts";

const mounts = [
  { mountPath: "/tmp/inner", hostPath: "/state/inner" },
  { mountPath: "/tmp/", hostPath: "/state/tmp" },
];
const own = ["/tmp/src/argyle", "/run/argyle"];
const cases: readonly { readonly path: unknown; readonly is: unknown }[] = [
  { path: "/tmp", is: "/state/tmp" },
  { path: "/tmp/a/b", is: "/state/tmp/a/b" },
  { path: "/tmp/inner/a", is: "/state/inner/a" },
  { path: "/tmp/innermost", is: "/state/tmp/innermost" },
  { path: "/tmpfile", is: "/tmpfile" },
  { path: "tmp/a", is: "tmp/a" },
  { path: Buffer.from("/tmp/a"), is: "/state/tmp/a" },
  { path: new URL("file:///tmp/a%20b"), is: "/state/tmp/a b" },
  { path: 3, is: 3 },
  { path: "/tmp/src/argyle/node_modules/pg", is: "/tmp/src/argyle/node_modules/pg" },
  { path: "/tmp/src/argyle", is: "/tmp/src/argyle" },
  { path: "/tmp/src", is: "/tmp/src" },
  { path: "/tmp/src/other", is: "/state/tmp/src/other" },
];
for (const { path, is } of cases)
  test(`${String(path)} is ${String(is)}`, () => assert.equal(mapPath(path, mounts, own), is));

test("a program belongs to the nearest package", (t) => {
  const root = tempDir(t);
  const program = join(root, "dist/images/carts");
  mkdirSync(program, { recursive: true });
  writeFileSync(join(root, "package.json"), "{}");
  assert.equal(packageRoot(program), root);
});
