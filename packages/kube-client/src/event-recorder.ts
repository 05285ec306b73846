/**
 * Kubernetes Events, as controllers, kubelet and kube-proxy report them. Recording never waits and never fails its caller: events are
 * written by a queue that retries. Equal events are counted on one object; when one source says many different things for one
 * reason, they are combined after ten, as client-go's correlator does. Warnings are written at once; of Normal events a burst and then so many a
 * second, as a kubelet has --event-qps: when dozens of pods start, their story waits for their work.
 * Source: Kubernetes API reference, Event v1; client-go tools/record documentation.
 */
import { type Clock, createWorkQueue, describeError, type Logger, rfc3339Seconds } from "@argyle/core";
import { type KubeObject, type ObjectMeta, resourceOf } from "@argyle/kube-types";
import type { KubeClient } from "./client.ts";
import { isNotFound, isUnreachable } from "./errors.ts";

/** What an Event is about; any KubeObject will do. */
export interface EventSubject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Pick<ObjectMeta, "name" | "namespace" | "uid" | "resourceVersion">;
  /** `spec.containers{name}`, for events of one container. */
  readonly fieldPath?: string;
}

export interface EventRecorder {
  event(subject: EventSubject, type: "Normal" | "Warning", reason: string, message: string): void;
  /** Resolves when everything recorded so far is written or given up. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface EventRecorderOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  /** `source.component`: kubelet, replicaset-controller … */
  readonly component: string;
  readonly host?: string;
  readonly random?: () => number;
}

interface Entry {
  readonly subject: EventSubject;
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly firstMs: number;
  readonly name: string;
  message: string;
  lastMs: number;
  count: number;
  writtenCount: number;
  attempts: number;
}

const COMBINE_AFTER = 10;
const COMBINE_WINDOW_MS = 600_000;
const MAX_ENTRIES = 2048;
const MAX_ATTEMPTS = 12;
const NORMAL_BURST = 20;
const NORMAL_EVERY_MS = 50;

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { client, clock } = options;
  const log = options.log.scope("events");
  const events = resourceOf("Event", "");
  const entries = new Map<string, Entry>();
  const families = new Map<string, { readonly messages: Set<string>; lastMs: number }>();
  let waiters: (() => void)[] = [];
  let serial = Math.floor((options.random ?? Math.random)() * 0xffff);

  const write = async (key: string): Promise<void> => {
    const entry = entries.get(key);
    if (entry === undefined || entry.count === entry.writtenCount) return;
    const { count } = entry;
    try {
      const isNew = entry.writtenCount === 0 || !(await patchCount(entry, count));
      if (isNew) await client.create(events, buildEvent(entry, count));
      entry.writtenCount = count;
      entry.attempts = 0;
    } catch (thrown) {
      entry.attempts += 1;
      if (isUnreachable(thrown) && entry.attempts < MAX_ATTEMPTS) throw thrown;
      // A namespace that is being deleted refuses new events; an event is not worth more than the attempts it had.
      log.debug("event dropped", {
        reason: entry.reason,
        about: entry.subject.metadata.name,
        error: describeError(thrown),
      });
      entry.writtenCount = count;
    }
  };

  /** False when the event has expired in the meantime. */
  const patchCount = async (entry: Entry, count: number): Promise<boolean> => {
    try {
      const ref = { namespace: namespaceOf(entry.subject), name: entry.name };
      const body = { count, lastTimestamp: rfc3339Seconds(entry.lastMs), message: entry.message };
      await client.patch(events, ref, "merge", body);
      return true;
    } catch (thrown) {
      if (isNotFound(thrown)) return false;
      throw thrown;
    }
  };

  const buildEvent = (entry: Entry, count: number): KubeObject => {
    const { subject } = entry;
    const { name, namespace, uid, resourceVersion } = subject.metadata;
    const host = options.host === undefined ? {} : { host: options.host };
    const event = {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: entry.name, namespace: namespaceOf(subject) },
      involvedObject: {
        apiVersion: subject.apiVersion,
        kind: subject.kind,
        name,
        ...(namespace === undefined ? {} : { namespace }),
        ...(uid === undefined ? {} : { uid }),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
        ...(subject.fieldPath === undefined ? {} : { fieldPath: subject.fieldPath }),
      },
      type: entry.type,
      reason: entry.reason,
      message: entry.message,
      source: { component: options.component, ...host },
      reportingComponent: options.component,
      reportingInstance: options.host ?? "",
      firstTimestamp: rfc3339Seconds(entry.firstMs),
      lastTimestamp: rfc3339Seconds(entry.lastMs),
      count,
    };
    return event;
  };

  /** When the bucket of Normal events will be full again (monotonic). */
  let fullAtMs = 0;
  /** How long this event has to wait, 0 if it may be written now. */
  const takeTurn = (key: string): number => {
    if (entries.get(key)?.type !== "Normal") return 0;
    const now = clock.monotonic();
    const waitMs = fullAtMs - now - (NORMAL_BURST - 1) * NORMAL_EVERY_MS;
    if (waitMs > 0) return waitMs;
    fullAtMs = Math.max(fullAtMs, now) + NORMAL_EVERY_MS;
    return 0;
  };

  const queue = createWorkQueue({
    clock,
    work: async (key) => {
      const waitMs = takeTurn(key);
      if (waitMs > 0) return { requeueAfterMs: waitMs };
      await write(key);
      if (isWritten()) settleWaiters();
      return undefined;
    },
    onError: () => undefined,
    concurrency: 1,
    backoff: { baseMs: 50, maxMs: 5000 },
    ...(options.random === undefined ? {} : { random: options.random }),
  });

  const isWritten = () => {
    for (const entry of entries.values()) if (entry.count !== entry.writtenCount) return false;
    return true;
  };
  const settleWaiters = () => {
    for (const resolve of waiters) resolve();
    waiters = [];
  };

  return {
    event(subject, type, reason, message) {
      const now = clock.now();
      const family = [
        subject.kind,
        subject.metadata.uid ?? subject.metadata.name,
        subject.fieldPath,
        type,
        reason,
      ].join("\n");
      const told = families.get(family);
      const fresh =
        told === undefined || now - told.lastMs > COMBINE_WINDOW_MS
          ? { messages: new Set<string>(), lastMs: now }
          : told;
      fresh.lastMs = now;
      if (fresh.messages.size <= COMBINE_AFTER) fresh.messages.add(message);
      families.delete(family);
      families.set(family, fresh);
      const isCombined = fresh.messages.size > COMBINE_AFTER;
      const key = isCombined ? `${family}\n*` : `${family}\n${message}`;
      const text = isCombined ? `(combined from similar events): ${message}` : message;
      const known = entries.get(key);
      if (known !== undefined) {
        known.count += 1;
        known.lastMs = now;
        known.message = text;
      } else {
        serial = (serial + 1) % 0x100000;
        const suffix = `${(now * 4096).toString(16)}${serial.toString(16).padStart(5, "0")}`;
        const name = `${subject.metadata.name}.${suffix}`;
        entries.set(key, {
          subject,
          type,
          reason,
          firstMs: now,
          name,
          message: text,
          lastMs: now,
          count: 1,
          writtenCount: 0,
          attempts: 0,
        });
      }
      evictOldest(entries);
      evictOldest(families);
      queue.add(key);
    },
    flush: () => (isWritten() ? Promise.resolve() : new Promise((resolve) => waiters.push(resolve))),
    async close() {
      await queue.close();
      settleWaiters();
    },
  };
}

/** Events about cluster-scoped objects live in `default`, as on a real cluster. */
function namespaceOf(subject: EventSubject): string {
  return subject.metadata.namespace ?? "default";
}

function evictOldest(table: Map<string, unknown>): void {
  if (table.size <= MAX_ENTRIES) return;
  const oldest = table.keys().next();
  if (oldest.done !== true) table.delete(oldest.value);
}
