/**
 * What an agent needs again after the death of its worker: the configuration in force with its versions, and the identity. Kept in files of the run
 * directory (mode 0600, gone with the instance), so that a restarted worker serves before istiod has answered and asks it for the differences only,
 * as after any reconnect. What is read is taken away until it is written again, so that a configuration which ends the worker can't end it for ever.
 *
 *   <directory>/<short type>     two lines a resource: `[name, version]`, then the resource, both JSON
 *   <directory>/identity         {certChain, privateKeyPem}
 *
 * Invariants: only what was accepted is written; a file is replaced by rename, so it is whole or the old one; what cannot be read is not held.
 */
import { readFileSync, rmSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, describeError, errnoOf, type Logger, type Timer } from "@argyle/core";
import { shortTypeName } from "@argyle/xds";
import type { ResourceUpsert } from "../resource-sink.ts";

export interface HeldIdentity {
  /** PEM, the leaf first, the root last: as istiod answered. */
  readonly certChain: readonly string[];
  readonly privateKeyPem: string;
}

export interface HeldState {
  takeResources(typeUrl: string): readonly ResourceUpsert[];
  takeIdentity(): HeldIdentity | undefined;
  /** `current` is asked when it is time to write: changes of a moment are one write. */
  keepResources(typeUrl: string, current: () => Iterable<ResourceUpsert>): void;
  keepIdentity(identity: HeldIdentity): void;
  close(): void;
}

export interface HeldStateOptions {
  /** Of this pod alone; made when something is kept. */
  readonly directory: string;
  /** Reads a resource; the same text gives the same object. */
  readonly parse: (json: string) => object;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
}

/**
 * Between these, so that the agents of a worker do not all write in one turn, and a start, in which every proxy takes a dozen changes a second, is one
 * or two writes.
 */
const MIN_DELAY_MS = 2000;
const MAX_DELAY_MS = 5000;

export function createHeldState(options: HeldStateOptions): HeldState {
  const { directory, clock, log } = options;
  const due = new Map<string, () => Iterable<ResourceUpsert>>();
  let timer: Timer | undefined;
  let isClosed = false;
  /** One write at a time: two renames of the same file must not overtake each other. */
  let writing = Promise.resolve();

  // Nothing is served before this is read, and a hundred small files in memory are read at once sooner than they are waited for.
  const take = (name: string): string | undefined => {
    const path = join(directory, name);
    try {
      const text = readFileSync(path, "utf8");
      rmSync(path);
      return text;
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") log.warn("held state cannot be read", { name, error: describeError(error) });
      return undefined;
    }
  };
  const write = (name: string, text: () => string) => {
    writing = writing.then(async () => {
      if (isClosed) return;
      try {
        const path = join(directory, name);
        await mkdir(directory, { recursive: true, mode: 0o700 });
        await writeFile(`${path}.tmp`, text(), { mode: 0o600 });
        await rename(`${path}.tmp`, path);
      } catch (error) {
        log.warn("held state cannot be written: after a restart of its worker this proxy waits for istiod", {
          name,
          error: describeError(error),
        });
      }
    });
  };
  const flush = () => {
    timer = undefined;
    for (const [typeUrl, current] of due) write(shortTypeName(typeUrl), () => formatResources(current()));
    due.clear();
  };

  return {
    takeResources(typeUrl) {
      const name = shortTypeName(typeUrl);
      const text = take(name);
      if (text === undefined) return [];
      try {
        return parseResources(text, options.parse);
      } catch (error) {
        log.warn("held state is not readable", { name, error: describeError(error) });
        return [];
      }
    },
    takeIdentity() {
      const text = take("identity");
      if (text === undefined) return undefined;
      try {
        return JSON.parse(text) as HeldIdentity;
      } catch (error) {
        log.warn("held state is not readable", { name: "identity", error: describeError(error) });
        return undefined;
      }
    },
    keepResources(typeUrl, current) {
      if (isClosed) return;
      due.set(typeUrl, current);
      const delayMs = MIN_DELAY_MS + options.random() * (MAX_DELAY_MS - MIN_DELAY_MS);
      timer ??= clock.after(delayMs, flush, { unref: true });
    },
    keepIdentity: (identity) => write("identity", () => JSON.stringify(identity)),
    close() {
      isClosed = true;
      timer?.cancel();
    },
  };
}

function formatResources(resources: Iterable<ResourceUpsert>): string {
  const lines: string[] = [];
  for (const { name, version, resource } of resources)
    lines.push(JSON.stringify([name, version]), JSON.stringify(resource));
  return lines.join("\n");
}

function parseResources(text: string, parse: (json: string) => object): readonly ResourceUpsert[] {
  const lines = text === "" ? [] : text.split("\n");
  const resources: ResourceUpsert[] = [];
  for (let i = 0; i < lines.length; i += 2) {
    const [name, version] = JSON.parse(lines[i] ?? "") as [string, string];
    resources.push({ name, version, resource: parse(lines[i + 1] ?? "") });
  }
  return resources;
}
