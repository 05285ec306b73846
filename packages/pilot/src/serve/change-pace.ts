/**
 * When istiod looks for what a change means for its proxies. A single change is taken up in the next turn of the event loop; while changes keep
 * coming, translation takes a bounded share of the time: after a round that took t, the next one waits for a multiple of t and takes up all changes of the
 * meantime together. So a burst of n changes costs a few translations instead of n, and nobody pays a debounce floor. A round that took up several changes
 * is a burst's, and rests longer than one after which the next single change may be somebody's who waits for it; but only endpoints wait that long. A new
 * Service does not: until the proxies have its listener, a program that finds its name is passed through in plain text.
 */
import type { Clock, Timer } from "@argyle/core";
import { ENDPOINT_TYPE } from "@argyle/xds";
import type { ConfigChange } from "./config-source.ts";

export interface ChangePace {
  changed(change: ConfigChange): void;
  /** Time spent on sending what the last round found: it counts as the round's. */
  worked(ms: number): void;
  close(): void;
}

export interface ChangePaceOptions {
  readonly clock: Clock;
  /** The changes since the last round, one of each set of types; `changedAt` (monotonic) is the first one's. */
  readonly round: (changes: readonly ConfigChange[], changedAt: number) => void;
}

interface Rest {
  /** Times what the round took. */
  readonly share: number;
  readonly maxMs: number;
}

const AFTER_ONE: Rest = { share: 3, maxMs: 100 };
/** A push costs the proxies, on the same machine, about twice what it costs us: so a burst leaves half of the time to everybody else. */
const IN_BURST: Rest = { share: 6, maxMs: 250 };

export function createChangePace(options: ChangePaceOptions): ChangePace {
  const { clock } = options;
  /** By their types: a change says what it concerns now, not when it happened, so the latest speaks for all of its types. */
  const pending = new Map<string, ConfigChange>();
  let changedAt = 0;
  let restUntil = 0;
  /** For what is more than endpoints. */
  let shortRestUntil = 0;
  let isMoreThanEndpoints = false;
  let tookMs = 0;
  let arrived = 0;
  /** How many changes the last round was for. */
  let takenUp = 0;
  let timer: Timer | undefined;
  /** The round begins in the next turn. */
  let isDue = false;
  let isClosed = false;

  const rest = () => {
    const until = ({ share, maxMs }: Rest) => clock.monotonic() + Math.min(maxMs, share * tookMs);
    shortRestUntil = until(AFTER_ONE);
    restUntil = until(takenUp > 1 ? IN_BURST : AFTER_ONE);
  };
  const run = () => {
    isDue = false;
    if (isClosed) return;
    const changes = [...pending.values()];
    pending.clear();
    isMoreThanEndpoints = false;
    takenUp = arrived;
    arrived = 0;
    const started = clock.monotonic();
    options.round(changes, changedAt);
    tookMs = clock.monotonic() - started;
    rest();
  };
  const book = () => {
    timer = undefined;
    const waitMs = (isMoreThanEndpoints ? shortRestUntil : restUntil) - clock.monotonic();
    if (waitMs > 0) {
      timer = clock.after(waitMs, book);
      return;
    }
    isDue = true;
    setImmediate(run);
  };

  return {
    changed(change) {
      if (pending.size === 0) changedAt = clock.monotonic();
      arrived += 1;
      pending.set([...change.typeUrls].sort().join(), change);
      isMoreThanEndpoints ||= [...change.typeUrls].some((typeUrl) => typeUrl !== ENDPOINT_TYPE);
      if (isDue) return;
      timer?.cancel();
      book();
    },
    worked(ms) {
      tookMs += ms;
      rest();
    },
    close() {
      isClosed = true;
      timer?.cancel();
    },
  };
}
