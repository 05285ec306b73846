/**
 * Time from the command to the first 200 of `GET /catalogue` through gateway, front-end, catalogue and PostgreSQL, and to the whole shop ready,
 * on an installed checkout with a new state each time, and to the first 200 of a start on the state that the first one left. The first run of a
 * checkout also fills V8's code cache; it is reported apart.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { get } from "../http.ts";
import { ROOT, run } from "../mini-cluster.ts";
import { type BenchOptions, type Figure, quantile, round } from "./rig/figure.ts";

export async function bench({ isQuick, note }: BenchOptions): Promise<readonly Figure[]> {
  const first: number[] = [];
  const whole: number[] = [];
  const resumed: number[] = [];
  for (let i = 0; i < (isQuick ? 3 : 8); i++) {
    const times = await startOnce();
    first.push(times.firstSeconds);
    whole.push(times.wholeSeconds);
    resumed.push(times.resumedSeconds);
    note(
      `start ${i + 1}: first 200 after ${times.firstSeconds.toFixed(2)} s, everything after ${times.wholeSeconds.toFixed(2)} s, resumed ${times.resumedSeconds.toFixed(2)} s`,
    );
  }
  return [
    { figure: "first start of this run, to the first 200", value: round(first[0] ?? Number.NaN, 2), unit: "s" },
    { figure: "start to first 200, median", value: round(quantile(first.slice(1), 0.5), 2), unit: "s" },
    { figure: "start to first 200, slowest", value: round(quantile(first.slice(1), 1), 2), unit: "s" },
    {
      figure: "start to all 14 Deployments available, median",
      value: round(quantile(whole.slice(1), 0.5), 2),
      unit: "s",
    },
    { figure: "resumed start to first 200, median", value: round(quantile(resumed.slice(1), 0.5), 2), unit: "s" },
  ];
}

interface StartTimes {
  readonly firstSeconds: number;
  readonly wholeSeconds: number;
  readonly resumedSeconds: number;
}

async function startOnce(): Promise<StartTimes> {
  const home = mkdtempSync(join(tmpdir(), "ag-bench-"));
  const env = { ...process.env, ARGYLE_STATE_DIR: home };
  const cli = (...args: string[]) =>
    run(process.execPath, [join(ROOT, "dist/cli.cjs"), ...args, "--instance", "bench"], { env });
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  try {
    const up = cli("up", "-d", "--api-port", "0", "--gateway-port", "0").then((outcome) => {
      if (outcome.code !== 0) throw new Error(outcome.stderr);
      return seconds();
    });
    const [firstSeconds, wholeSeconds] = await Promise.all([
      untilFirst200(join(home, "bench/instance.json"), seconds),
      up,
    ]);
    await cli("down");
    const again = performance.now();
    // On kept state `up` returns with the first 200.
    const outcome = await cli("up", "-d");
    if (outcome.code !== 0) throw new Error(outcome.stderr);
    return { firstSeconds, wholeSeconds, resumedSeconds: (performance.now() - again) / 1000 };
  } finally {
    await cli("reset");
    rmSync(home, { recursive: true, force: true });
  }
}

async function untilFirst200(record: string, seconds: () => number): Promise<number> {
  while (seconds() < 60) {
    if (existsSync(record)) {
      const { gatewayPort } = JSON.parse(readFileSync(record, "utf8")) as { readonly gatewayPort: number };
      const status = await get(`http://127.0.0.1:${gatewayPort}/catalogue`).then(
        (answer) => answer.status,
        () => 0,
      );
      if (status === 200) return seconds();
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("no 200 within 60 s");
}
