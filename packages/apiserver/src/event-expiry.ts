/** Events go after an hour, as with kube-apiserver's --event-ttl: nothing else bounds their number. */
import { type Clock, parseRfc3339, type Timer } from "@argyle/core";
import { resourceOf } from "@argyle/kube-types";
import { textAt } from "./json.ts";
import type { Store } from "./storage.ts";

const EVENTS = resourceOf("Event");
const TTL_MS = 3_600_000;
const SWEEP_EVERY_MS = 60_000;

export function startEventExpiry(store: Store, clock: Clock, onError: (error: unknown) => void): Timer {
  let timer: Timer;
  const arm = () => {
    timer = clock.after(SWEEP_EVERY_MS, sweep, { unref: true });
  };
  const sweep = () => {
    try {
      for (const event of store.list(EVENTS)) {
        const last =
          textAt(event, "lastTimestamp") ?? textAt(event, "eventTime") ?? event.metadata.creationTimestamp ?? "";
        const since = parseRfc3339(last) ?? parseRfc3339(event.metadata.creationTimestamp ?? "") ?? 0;
        if (clock.now() - since > TTL_MS) store.remove(EVENTS, event);
      }
    } catch (error) {
      onError(error);
    }
    arm();
  };
  arm();
  return { cancel: () => timer.cancel() };
}
