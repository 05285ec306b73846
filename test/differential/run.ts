/** Plays all cases through both proxies and tells where they differ. */
import type { Case } from "./case.ts";
import { type Difference, differences } from "./differences.ts";
import { drive, type Outcome } from "./drive.ts";
import type { ProxyUnderTest } from "./proxies.ts";

export interface Comparison {
  readonly case: Case;
  readonly envoy: Outcome;
  readonly own: Outcome;
  readonly differences: readonly Difference[];
}

/** How often a case that differs is played again, each time with more patience: a slow machine is not a difference. */
const RETRIES = 2;

export async function compareAll(
  cases: readonly Case[],
  envoy: ProxyUnderTest,
  own: ProxyUnderTest,
  onDone: (comparison: Comparison) => void,
): Promise<void> {
  const queue = [...cases];
  const work = async (lane: number) => {
    const [theirs, ours] = [envoy.lanes[lane], own.lanes[lane]];
    if (theirs === undefined || ours === undefined) return;
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
      for (let attempt = 0; ; attempt++) {
        const current = one;
        const [e, o] = await Promise.all([theirs, ours].map((under) => drive(current, under, 1 + 2 * attempt)));
        const crash = envoy.crash() ?? own.crash();
        if (crash !== undefined) throw new Error(`${one.name}: ${crash}`);
        if (e === undefined || o === undefined) return;
        const found = differences(one, e, o);
        if (found.every(({ reason }) => reason !== undefined) || attempt === RETRIES) {
          onDone({ case: one, envoy: e, own: o, differences: found });
          break;
        }
      }
    }
  };
  await Promise.all(envoy.lanes.map((_, lane) => work(lane)));
}

/** Plays all cases through one proxy. */
export async function playAll(
  cases: readonly Case[],
  under: ProxyUnderTest,
  check: (one: Case, outcome: Outcome) => boolean,
): Promise<void> {
  const queue = [...cases];
  await Promise.all(
    under.lanes.map(async (lane) => {
      for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
        for (let attempt = 0; attempt <= RETRIES; attempt++) {
          if (check(one, await drive(one, lane, 1 + 2 * attempt))) break;
        }
      }
    }),
  );
}
