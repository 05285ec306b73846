import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { silentLogger } from "@argyle/core";
import { createFakeClock, eventually } from "@argyle/testkit";
import { SECRET_TYPE } from "@argyle/xds";
import type { ResourceSink } from "../resource-sink.ts";
import { followFileSecrets } from "./file-secrets.ts";

const CERT = "file-cert:/etc/certs/tls.crt~/etc/certs/tls.key";
const ROOT = "file-root:/etc/certs/ca.crt";

function world(t: { after(fn: () => void): void }, wanted: Set<string>) {
  const rootfs = mkdtempSync(join(tmpdir(), "argyle-file-secrets-"));
  mkdirSync(join(rootfs, "etc/certs"), { recursive: true });
  const write = (name: string, text: string) => writeFileSync(join(rootfs, "etc/certs", name), text);
  const held = new Map<string, string>();
  const absent: string[] = [];
  let tell: (typeUrl: string) => void = () => undefined;
  const sink: ResourceSink = {
    apply(_typeUrl, upserts, removals) {
      for (const { name, resource } of upserts) held.set(name, JSON.stringify(resource));
      absent.push(...removals);
      return [];
    },
    wanted: () => wanted,
    onWantedChange: (listener) => {
      tell = listener;
    },
  };
  const clock = createFakeClock();
  const following = followFileSecrets({ sink, rootfs, clock, log: silentLogger });
  t.after(() => {
    following.close();
    rmSync(rootfs, { recursive: true });
  });
  return { held, absent, write, clock, want: () => tell(SECRET_TYPE) };
}

test("files that the proxy names are its secrets, again when they change", async (t) => {
  const wanted = new Set<string>();
  const { held, write, clock, want } = world(t, wanted);
  write("tls.crt", "chain");
  write("tls.key", "key");
  write("ca.crt", "root");
  for (const name of [CERT, ROOT, "default", "kubernetes://other"]) wanted.add(name);
  want();
  await eventually("both", () => assert.deepEqual([...held.keys()].sort(), [CERT, ROOT]));
  assert.match(held.get(CERT) ?? "", /"inline_string":"chain".*"inline_string":"key"/);
  write("tls.crt", "renewed");
  await eventually("the renewed one", () => {
    void clock.advance(2_000);
    assert.match(held.get(CERT) ?? "", /renewed/);
  });
});

test("files that are not there are said to be absent, and taken once they are", async (t) => {
  const { held, absent, write, clock, want } = world(t, new Set([ROOT]));
  want();
  await eventually("absent", () => assert.deepEqual(absent, [ROOT]));
  write("ca.crt", "root");
  await eventually("there", () => {
    void clock.advance(2_000);
    assert.match(held.get(ROOT) ?? "", /root/);
  });
});
