/**
 * Certificates that lie in files of the proxy's container, which the agent serves by SDS under names that hold their paths:
 * `file-cert:<certificate>~<key>` and `file-root:<bundle>`. Read when the proxy wants them and looked at again every few seconds, since whoever
 * mounts them (a Secret volume, cert-manager) replaces them without a word.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, describeError, type Logger, type Timer } from "@argyle/core";
import { SECRET_TYPE } from "@argyle/xds";
import type { ResourceSink } from "../resource-sink.ts";

export interface FileSecretsOptions {
  readonly sink: ResourceSink;
  readonly rootfs: string;
  readonly clock: Clock;
  readonly log: Logger;
}

const REREAD_MS = 2_000;
const CERTIFICATE = "file-cert:";
const ROOT = "file-root:";

export function isFileSecret(name: string): boolean {
  return name.startsWith(CERTIFICATE) || name.startsWith(ROOT);
}

export function followFileSecrets(options: FileSecretsOptions): { close(): void } {
  const { sink, clock, log } = options;
  const versions = new Map<string, string>();
  const unreadable = new Set<string>();
  let timer: Timer | undefined;
  let isReading = false;
  let isAskedAgain = false;
  let isClosed = false;

  const readOne = async (name: string) => {
    try {
      const { version, resource } = await readSecret(options.rootfs, name);
      if (isClosed) return;
      unreadable.delete(name);
      if (versions.get(name) === version) return;
      const rejected = sink.apply(SECRET_TYPE, [{ name, version, resource }], []);
      for (const { message } of rejected) log.error("certificate files rejected", { name, message });
      versions.set(name, version);
    } catch (error) {
      if (isClosed || unreadable.has(name)) return;
      // Told once; what was read before stays in use.
      unreadable.add(name);
      log.warn("certificate files cannot be read", { name, error: describeError(error) });
      if (!versions.has(name)) sink.apply(SECRET_TYPE, [], [name]);
    }
  };

  const read = async () => {
    timer?.cancel();
    if (isReading) {
      isAskedAgain = true;
      return;
    }
    isReading = true;
    const wanted = sink.wanted(SECRET_TYPE);
    const names = wanted === "*" ? [] : [...wanted].filter(isFileSecret);
    await Promise.all(names.map(readOne));
    isReading = false;
    if (isClosed) return;
    if (isAskedAgain) {
      isAskedAgain = false;
      await read();
    } else if (names.length > 0) timer = clock.after(REREAD_MS, () => void read(), { unref: true });
  };
  sink.onWantedChange((typeUrl) => {
    if (typeUrl === SECRET_TYPE && !isClosed) void read();
  });
  void read();
  return {
    close() {
      isClosed = true;
      timer?.cancel();
    },
  };
}

async function readSecret(
  rootfs: string,
  name: string,
): Promise<{ readonly version: string; readonly resource: object }> {
  const read = (path: string) => readFile(join(rootfs, path), "utf8");
  if (name.startsWith(ROOT)) {
    const bundle = await read(name.slice(ROOT.length));
    return {
      version: hashOf(bundle),
      resource: { name, validation_context: { trusted_ca: { inline_string: bundle } } },
    };
  }
  const [certificate = "", key = ""] = name.slice(CERTIFICATE.length).split("~");
  const [chain, privateKey] = await Promise.all([read(certificate), read(key)]);
  return {
    version: hashOf(chain + privateKey),
    resource: {
      name,
      tls_certificate: { certificate_chain: { inline_string: chain }, private_key: { inline_string: privateKey } },
    },
  };
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
