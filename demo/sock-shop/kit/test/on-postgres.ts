/** A service and its own real PostgreSQL for the length of one test file: started before the first test, closed after the last one. */
import { after, before } from "node:test";
import type { Service } from "../http.ts";
import { type Asked, askService, type Postgres, startPostgres, whyNoPostgres } from "./stage.ts";

export interface PostgresStage {
  /** Why there is no database here, or false: for every test on this stage. */
  readonly skip: string | false;
  readonly ask: Asked["ask"];
  /** kill -9 of the database, then the same data again. */
  crash(): Promise<void>;
  /** kill -9 of the database, then an empty one. */
  loseEverything(): Promise<void>;
}

/** `open` may also start what the service needs beside its database. */
export function onPostgres(database: string, open: (url: string) => Promise<Staged> | Staged): PostgresStage {
  const skip = whyNoPostgres();
  let postgres: Postgres | undefined;
  let staged: Staged | undefined;
  let asked: Asked | undefined;
  before(async () => {
    if (skip !== false) return;
    postgres = await startPostgres(database);
    staged = await open(postgres.url);
    asked = await askService(staged.service);
  });
  after(async () => {
    await asked?.close();
    await staged?.close();
    await postgres?.stop();
  });
  const started = <T>(part: T | undefined): T => {
    if (part === undefined) throw new Error("the stage is there only while tests run");
    return part;
  };
  return {
    skip,
    ask: (...question) => started(asked).ask(...question),
    crash: () => started(postgres).crash(),
    loseEverything: () => started(postgres).loseEverything(),
  };
}

interface Staged {
  readonly service: Service;
  close(): Promise<void>;
}
