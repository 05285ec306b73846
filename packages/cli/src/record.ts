/**
 * How a running instance describes itself: `$STATE/instance.json`, with a copy in `$RUN`. The copy is what finds a running instance again when
 * the first was damaged or removed: without it a second `up` would start a second cluster on the same store. Both are written by rename.
 */
import { readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { errnoOf } from "@argyle/core";

export const DEMOS = ["none", "mesh", "sock-shop"] as const;
export type Demo = (typeof DEMOS)[number];

export interface InstanceRecord {
  readonly version: string;
  /** The checkout whose programs run. */
  readonly checkout: string;
  readonly stateDir: string;
  readonly runDir: string;
  readonly apiPort: number;
  readonly gatewayPort: number;
  readonly demo: Demo;
  /** Every object of the demo was created once; what the user did to them since is theirs. */
  readonly isDeployed: boolean;
  /** Hash of the control plane's manifests as they were applied last. */
  readonly controlPlane?: string;
  /** starting: `up` has not finished; when nobody holds the start lock it was cut short. */
  readonly phase: "starting" | "up";
  /** Epoch milliseconds. */
  readonly startedAt: number;
}

const FILE = "instance.json";

/** undefined for what is not a whole record. */
export function parseRecord(text: string): InstanceRecord | undefined {
  const record = parseFields(text);
  const texts = [record.version, record.checkout, record.stateDir, record.runDir];
  const numbers = [record.apiPort, record.gatewayPort, record.startedAt];
  const isWhole =
    texts.every((field) => typeof field === "string") &&
    numbers.every((field) => typeof field === "number") &&
    DEMOS.some((demo) => demo === record.demo) &&
    typeof record.isDeployed === "boolean" &&
    (record.phase === "starting" || record.phase === "up");
  return isWhole ? (record as unknown as InstanceRecord) : undefined;
}

/** The run directory alone, which is enough to find what runs: records of other versions may differ in everything else. */
function parseRunDir(text: string): string | undefined {
  const { runDir } = parseFields(text);
  return typeof runDir === "string" ? runDir : undefined;
}

function parseFields(text: string): Partial<Record<keyof InstanceRecord, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

/** The record in a directory: `$STATE`, or `$RUN` for the copy. */
export function readRecordIn(dir: string): InstanceRecord | undefined {
  return parseRecord(readFile(dir));
}

export function readRunDirIn(dir: string): string | undefined {
  return parseRunDir(readFile(dir));
}

/** The copy in one of the run directories beside `runDirs` that belongs to the state directory. */
export function findRecordCopy(stateDir: string, runDirs: readonly string[]): InstanceRecord | undefined {
  const parents = new Set(runDirs.map((dir) => dirname(dir)));
  for (const parent of parents) {
    for (const name of entriesOf(parent)) {
      if (!/^(argyle-)?[0-9a-f]{8}$/.test(name)) continue;
      const found = readRecordIn(join(parent, name));
      if (found?.stateDir === stateDir) return found;
    }
  }
  return undefined;
}

export function writeRecord(record: InstanceRecord): void {
  const text = `${JSON.stringify(record, undefined, 1)}\n`;
  for (const dir of [record.stateDir, record.runDir]) {
    const temporary = join(dir, `${FILE}.tmp`);
    writeFileSync(temporary, text);
    renameSync(temporary, join(dir, FILE));
  }
}

function entriesOf(dir: string): readonly string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

/** Empty when it can't be read: whatever keeps it from being read, the writer of the next one meets as well and explains. */
function readFile(dir: string): string {
  try {
    return readFileSync(join(dir, FILE), "utf8");
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return "";
  }
}
