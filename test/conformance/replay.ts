/**
 * Replays a folder of peer data: each sub-folder is a set of sets.ts. Reports every case, then every file that no case has read.
 * An unknown set is one "n/a" line; a set that breaks before its first case is one "fail" line. Ids that occur twice are numbered.
 */
import { join } from "node:path";
import { type Case, notApplicable } from "./case.ts";
import { openPeerFolder, type PeerFolder } from "./peer-folder.ts";
import { SETS } from "./sets.ts";

export interface SetCase extends Case {
  readonly set: string;
}

export type Replay = (dir: PeerFolder) => AsyncIterable<Case> | readonly Case[];

export async function* replayFolder(
  dir: string,
  sets: readonly string[],
  known: Readonly<Record<string, Replay>> = SETS,
): AsyncGenerator<SetCase> {
  for (const set of sets) {
    const replay = known[set];
    if (replay === undefined) yield { set, ...notApplicable(set, `there is no replay for the set ${set}`) };
    else for await (const one of numbered(casesOf(openPeerFolder(join(dir, set)), replay))) yield { set, ...one };
  }
}

async function* casesOf(folder: PeerFolder, replay: Replay): AsyncGenerator<Case> {
  try {
    yield* replay(folder);
  } catch (thrown) {
    yield { id: "(the whole set)", result: "fail", why: `the data could not be replayed: ${String(thrown)}` };
  }
  for (const name of folder.unread()) yield notApplicable(name, "no case reads this file");
}

async function* numbered(cases: AsyncIterable<Case>): AsyncGenerator<Case> {
  const seen = new Map<string, number>();
  for await (const one of cases) {
    const count = (seen.get(one.id) ?? 0) + 1;
    seen.set(one.id, count);
    yield count === 1 ? one : { ...one, id: `${one.id}#${count}` };
  }
}
