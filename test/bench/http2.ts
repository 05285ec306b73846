/**
 * HTTP/2 to HTTP/2 beside others, cleartext: each proxy alone on core 0, h2load and an nginx backend on core 1, all targets in turn in every round,
 * medians. Linux with two cores; needs h2load, nginx and haproxy (Debian packages nghttp2-client, nginx, haproxy).
 * Opt-in: Envoy from ARGYLE_BENCH_ENVOY=/path/to/envoy. ARGYLE_BENCH_BASELINE=/path/to/proxy.cjs measures another build of ours beside this one.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { envoyBootstrap } from "./rig/dataplane-config.ts";
import {
  find,
  freePort,
  measureHttp2,
  median,
  type Pinned,
  startPinned,
  untilListening,
} from "./rig/dataplane-load.ts";
import { type BenchOptions, createScope, type Figure, round } from "./rig/figure.ts";
import { haproxyHttp2Config, nginxHttp2Config } from "./rig/peer-config.ts";

const PROXY_CORE = 0;
const LOAD_CORE = 1;
const PEERS = ["haproxy", "node:http2 proxy", "Envoy", "ours, baseline"];
const SCENARIOS = [
  { name: "8 connections x 16 streams", connections: 8, streams: 16 },
  { name: "8 connections x 1 stream", connections: 8, streams: 1 },
] as const;

interface Target {
  readonly name: string;
  readonly port: number;
  readonly process: Pinned;
}

type Sample = Awaited<ReturnType<typeof measureHttp2>>;

export async function bench({ isQuick, only, note }: BenchOptions): Promise<readonly Figure[]> {
  for (const program of ["taskset", "h2load", "nginx", "haproxy"])
    if (find(program) === undefined)
      throw new Error(`${program} is needed: apt-get install util-linux nghttp2-client nginx haproxy`);
  const scope = createScope();
  try {
    const targets = await startTargets(scope, note);
    const figures: Figure[] = [];
    for (const { name, connections, streams } of SCENARIOS) {
      if (!name.includes(only)) continue;
      const samples = new Map<string, Sample[]>(targets.map((target) => [target.name, []]));
      // Once each, so that compilers, pools and caches are warm.
      const measure = ({ port, process }: Target, length: string) =>
        measureHttp2({ port, connections, streams, length }, LOAD_CORE, [process.pid]);
      for (const target of targets) await measure(target, "-n5000");
      for (let i = 0; i < (isQuick ? 1 : 3); i++) {
        for (const target of targets) samples.get(target.name)?.push(await measure(target, "-D2"));
        note(`${name}: round ${i + 1}`);
      }
      figures.push(...figuresOf(name, samples));
    }
    return figures;
  } finally {
    await scope.close();
  }
}

function figuresOf(scenario: string, samples: ReadonlyMap<string, readonly Sample[]>): readonly Figure[] {
  const of = (name: string, read: (sample: Sample) => number) => median((samples.get(name) ?? []).map(read));
  const kinds = [
    { suffix: "", unit: "req/s", read: (sample: Sample) => sample.rps },
    { suffix: ", by CPU", unit: "req/CPU s", read: (sample: Sample) => 1e6 / sample.cpuUs },
  ];
  return [...samples.keys()].flatMap((name) =>
    kinds.flatMap(({ suffix, unit, read }) => {
      const value = of(name, read);
      const figure = { figure: `${scenario}: ${name}${suffix}`, value: round(value, 0), unit };
      const present = PEERS.filter((peer) => peer !== name && samples.has(peer) && name !== "haproxy");
      return present.length === 0
        ? [figure]
        : present.map((peer) => ({ ...figure, peer, ratio: round(value / of(peer, read), 3) }));
    }),
  );
}

async function startTargets(
  scope: ReturnType<typeof createScope>,
  note: (text: string) => void,
): Promise<readonly Target[]> {
  const dir = mkdtempSync(join(tmpdir(), "ag-bench-"));
  scope.after(() => rmSync(dir, { recursive: true, force: true }));
  const targets: Target[] = [];
  const start = async (name: string | undefined, port: number, core: number, argv: readonly string[]) => {
    const process = startPinned(core, argv, dir);
    scope.after(() => process.stop());
    await untilListening(port);
    if (name !== undefined) targets.push({ name, port, process });
  };
  const file = (name: string, text: string) => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };
  const backend = await freePort();
  await start(undefined, backend, LOAD_CORE, [
    "nginx",
    "-p",
    dir,
    "-c",
    file("backend.conf", nginxHttp2Config(backend, dir)),
  ]);
  const haproxy = await freePort();
  const config = file("haproxy.cfg", haproxyHttp2Config(haproxy, backend));
  await start("haproxy", haproxy, PROXY_CORE, ["haproxy", "-db", "-q", "-f", config]);
  const node = await freePort();
  const proxy = resolve("test/bench/rig/http2-node-proxy.mjs");
  await start("node:http2 proxy", node, PROXY_CORE, [process.execPath, proxy, String(node), String(backend)]);
  const bootstrap = async (name: string, hasIstioStats: boolean) => {
    const port = await freePort();
    const text = JSON.stringify(envoyBootstrap({ port, backend, hasIstioStats, isHttp2: true }));
    return { port, path: file(`${name}.json`, text) };
  };
  const envoy = process.env.ARGYLE_BENCH_ENVOY ?? find("envoy");
  if (envoy === undefined) note("Envoy is not installed (ARGYLE_BENCH_ENVOY=/path/to/envoy): left out");
  else {
    const { port, path } = await bootstrap("envoy", false);
    const quiet = ["--concurrency", "1", "--log-level", "critical", "--use-dynamic-base-id"];
    await start("Envoy", port, PROXY_CORE, [envoy, "-c", path, ...quiet]);
  }
  const builds = [
    ["ours", resolve("dist/proxy.cjs")],
    ["ours, baseline", process.env.ARGYLE_BENCH_BASELINE],
  ] as const;
  for (const [name, bundle] of builds) {
    if (bundle === undefined) continue;
    const { port, path } = await bootstrap(name, true);
    await start(name, port, PROXY_CORE, [process.execPath, bundle, "--config", path]);
  }
  return targets;
}
