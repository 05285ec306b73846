/**
 * Fetches the keys that RequestAuthentications name by jwksUri, again every 20 minutes and, after a failure, with back-off. What was fetched stays in
 * use while its server is away. An answer is bounded in size and time, and only http and https are asked.
 */
import {
  type BackoffPolicy,
  backoffDelay,
  type Clock,
  describeError,
  type Logger,
  MeshError,
  type Timer,
} from "@argyle/core";

export interface JwksFetcher {
  /** The URIs that are wanted now; others are forgotten. */
  follow(uris: ReadonlySet<string>): void;
  close(): void;
}

export interface JwksFetcherOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  readonly fetchText: (uri: string, signal: AbortSignal) => Promise<string>;
  readonly onKeys: (keys: ReadonlyMap<string, string>) => void;
}

const REFRESH_MS = 20 * 60_000;
const TIMEOUT_MS = 5_000;
const BACKOFF: BackoffPolicy = { baseMs: 500, maxMs: 60_000 };
const MAX_BYTES = 1024 * 1024;

export function createJwksFetcher(options: JwksFetcherOptions): JwksFetcher {
  const { clock, log } = options;
  const keys = new Map<string, string>();
  const running = new Map<string, { timer: Timer | undefined; failures: number; abort: AbortController | undefined }>();

  const fetchOne = async (uri: string) => {
    const entry = running.get(uri);
    if (entry === undefined) return;
    const abort = new AbortController();
    entry.abort = abort;
    const deadline = clock.after(TIMEOUT_MS, () => abort.abort(), { unref: true });
    let nextMs = REFRESH_MS;
    try {
      const text = await options.fetchText(uri, abort.signal);
      if (running.get(uri) !== entry) return;
      entry.failures = 0;
      if (keys.get(uri) !== text) {
        keys.set(uri, text);
        options.onKeys(new Map(keys));
      }
    } catch (error) {
      if (running.get(uri) !== entry) return;
      nextMs = backoffDelay(BACKOFF, entry.failures++, options.random);
      log.warn("keys of an issuer cannot be fetched", {
        uri,
        error: describeError(error),
        retryInMs: Math.round(nextMs),
      });
    } finally {
      deadline.cancel();
    }
    entry.timer = clock.after(nextMs, () => void fetchOne(uri), { unref: true });
  };

  const forget = (uri: string) => {
    const entry = running.get(uri);
    running.delete(uri);
    entry?.timer?.cancel();
    entry?.abort?.abort();
  };

  return {
    follow(uris) {
      const gone = [...running.keys()].filter((uri) => !uris.has(uri));
      for (const uri of gone) forget(uri);
      const hadKeys = gone.filter((uri) => keys.delete(uri)).length > 0;
      if (hadKeys) options.onKeys(new Map(keys));
      for (const uri of uris) {
        if (running.has(uri)) continue;
        running.set(uri, { timer: undefined, failures: 0, abort: undefined });
        void fetchOne(uri);
      }
    },
    close() {
      for (const uri of [...running.keys()]) forget(uri);
    },
  };
}

/** The rim: one GET, bounded. */
export async function fetchJwks(uri: string, signal: AbortSignal): Promise<string> {
  if (!/^https?:\/\//.test(uri)) throw new MeshError("only http and https", { code: "pilot.jwks.scheme" });
  const response = await fetch(uri, { signal });
  if (!response.ok) throw new MeshError(`status ${response.status}`, { code: "pilot.jwks.status" });
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > MAX_BYTES) throw new MeshError("more than 1 MB", { code: "pilot.jwks.size" });
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}
