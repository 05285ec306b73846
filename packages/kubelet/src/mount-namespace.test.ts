import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { tempDir } from "@argyle/testkit";
import { detectMountNamespace } from "./mount-namespace.ts";

const cases = [
  { name: "over a directory of the host", mountPath: "/usr/share" },
  { name: "at a path below the root that the host lacks", mountPath: "/argyle-data/x" },
  { name: "at a path below /etc that the host lacks", mountPath: "/etc/argyle/conf" },
  { name: "at a path behind a link of the host", mountPath: "/var/run/secrets/argyle" },
];
for (const c of cases) {
  test(`shows a volume ${c.name}`, async (t) => {
    const dir = tempDir(t);
    const ns = await detectMountNamespace({ scratchDir: join(dir, "s"), keep: [] });
    if (ns === undefined) return t.skip("mount namespaces are not permitted here");
    mkdirSync(join(dir, "v"));
    writeFileSync(join(dir, "v/f"), "hello");
    const mounts = [{ mountPath: c.mountPath, hostPath: join(dir, "v"), readOnly: false }];
    const script = `cat ${c.mountPath}/f; head -c 4 /etc/passwd >/dev/null && echo " $PWD"; touch ${c.mountPath}/new`;
    const [file = "", ...args] = ns.wrap(["/bin/sh", "-c", script], "/usr", mounts, dir);
    const result = spawnSync(file, args, { encoding: "utf8" });
    assert.equal(result.stdout, "hello /usr\n", result.stderr);
    assert.equal(result.status, 0);
  });
}

test("keeps the run directory visible under a volume at /tmp", async (t) => {
  const dir = tempDir(t);
  mkdirSync(join(dir, "run"));
  mkdirSync(join(dir, "v"));
  writeFileSync(join(dir, "run/sock"), "here");
  const ns = await detectMountNamespace({ scratchDir: join(dir, "s"), keep: [join(dir, "run")] });
  if (ns === undefined) return t.skip("mount namespaces are not permitted here");
  const mounts = [{ mountPath: "/tmp", hostPath: join(dir, "v"), readOnly: false }];
  const script = `cat ${dir}/run/sock; ls /tmp | wc -l`;
  const [file = "", ...args] = ns.wrap(["/bin/sh", "-c", script], "/", mounts, dir);
  const result = spawnSync(file, args, { encoding: "utf8" });
  assert.equal(result.stdout.trim(), "here1", result.stderr);
});
