/**
 * Two sidecars with mTLS between them (client's sidecar → TLS 1.3, both sides verified → server's sidecar → nginx), beside haproxy and Envoy in the
 * same place: peak over HTTP/1.1 with 32 connections and over HTTP/2 with 8 connections of 16 streams, and an open loop over HTTP/1.1 at 1,000 and
 * 10,000 requests/s with 16 connections (added latency, CPU).
 * Each chain alone on core 0, load and nginx on core 1, all chains in turn in every round, medians. Needs taskset, wrk, h2load, nginx and openssl;
 * haproxy and Envoy (ARGYLE_BENCH_ENVOY) are left out when they are not there.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { envoyBootstrap, HOST, inboundBootstrap, mergeBootstraps, SMALL_PATH } from "./rig/dataplane-config.ts";
import {
  cpuTicks,
  find,
  freePort,
  measure,
  measureHttp2,
  median,
  type Pinned,
  run,
  type Sample,
  startPinned,
  untilListening,
} from "./rig/dataplane-load.ts";
import { type BenchOptions, createScope, type Figure, round } from "./rig/figure.ts";
import { haproxyHop, nginxConfig, nginxHttp2Config } from "./rig/peer-config.ts";
import { createBenchAuthority } from "./rig/workload-certificates.ts";

const PROXY_CORE = 0;
const LOAD_CORE = 1;
const HOPS = 2;
const PEERS = ["haproxy", "Envoy"];
const HTTP1_PEAK = "peak, 32 connections";
const HTTP2_PEAK = "HTTP/2 peak, 8 connections x 16 streams";

interface Chain {
  readonly name: string;
  readonly port: number;
  readonly processes: readonly Pinned[];
}

/** One open-loop run, as open-loop.mjs prints it, with the CPU time of the chain. */
interface OpenSample {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly failures: number;
  readonly cpuPerHop: number;
}

export async function bench({ isQuick, note, only }: BenchOptions): Promise<readonly Figure[]> {
  for (const program of ["taskset", "wrk", "h2load", "nginx", "openssl"])
    if (find(program) === undefined) throw new Error(`${program} is needed`);
  const scope = createScope();
  try {
    const rounds = isQuick ? 1 : 5;
    const seconds = isQuick ? 1 : 2;
    const figures: Figure[] = [];
    const chains = await startChains(scope, note, false);
    if (HTTP1_PEAK.includes(only)) figures.push(...(await peak(HTTP1_PEAK, chains, rounds, seconds, note)));
    for (const rate of [1000, 10_000])
      if (`open loop ${rate}/s`.includes(only))
        figures.push(...(await openLoop(chains, rate, rounds, isQuick ? 2 : 6, note)));
    if (HTTP2_PEAK.includes(only))
      figures.push(...(await peak(HTTP2_PEAK, await startChains(scope, note, true), rounds, seconds, note)));
    return figures;
  } finally {
    await scope.close();
  }
}

type PeakSample = Pick<Sample, "rps" | "cpuUs">;

async function peak(
  scenario: typeof HTTP1_PEAK | typeof HTTP2_PEAK,
  chains: readonly Chain[],
  rounds: number,
  seconds: number,
  note: (text: string) => void,
) {
  const run = ({ port, processes }: Chain, length: number): Promise<PeakSample> => {
    const pids = processes.map(({ pid }) => pid);
    return scenario === HTTP1_PEAK
      ? measure({ port, path: SMALL_PATH, connections: 32, seconds: length }, LOAD_CORE, pids)
      : measureHttp2({ port, connections: 8, streams: 16, length: `-D${length}` }, LOAD_CORE, pids);
  };
  const samples = new Map<string, PeakSample[]>(chains.map(({ name }) => [name, []]));
  for (const chain of chains) await run(chain, 2);
  for (let i = 0; i < rounds; i++) {
    for (const chain of chains) samples.get(chain.name)?.push(await run(chain, seconds));
    note(`${scenario}: round ${i + 1} of ${rounds}`);
  }
  const of = (name: string, read: (sample: PeakSample) => number) => median((samples.get(name) ?? []).map(read));
  const reads = [
    { what: "", unit: "req/s", digits: 0, read: (sample: PeakSample) => sample.rps },
    { what: ", by CPU", unit: "req/CPU s", digits: 0, read: (sample: PeakSample) => 1e6 / sample.cpuUs },
    { what: ", CPU", unit: "us/req", digits: 1, read: (sample: PeakSample) => sample.cpuUs },
  ];
  return chains.flatMap(({ name }) =>
    reads.flatMap(({ what, unit, digits, read }) =>
      against(
        `${scenario}: ${name}${what}`,
        round(of(name, read), digits),
        unit,
        name,
        (peer) => of(peer, read),
        samples,
      ),
    ),
  );
}

async function openLoop(
  chains: readonly Chain[],
  rate: number,
  rounds: number,
  seconds: number,
  note: (text: string) => void,
): Promise<readonly Figure[]> {
  const samples = new Map<string, OpenSample[]>(chains.map(({ name }) => [name, []]));
  for (let i = 0; i < rounds; i++) {
    for (const chain of chains) samples.get(chain.name)?.push(await runOpenLoop(chain, rate, seconds));
    note(`open loop ${rate}/s: round ${i + 1} of ${rounds}`);
  }
  const of = (name: string, read: (sample: OpenSample) => number) => median((samples.get(name) ?? []).map(read));
  const direct = of("direct", ({ p50Ms }) => p50Ms);
  const reads = [
    { what: "added p50", unit: "ms", read: ({ p50Ms }: OpenSample) => p50Ms - direct },
    { what: "p50", unit: "ms", read: ({ p50Ms }: OpenSample) => p50Ms },
    { what: "p99", unit: "ms", read: ({ p99Ms }: OpenSample) => p99Ms },
    { what: "p99.9", unit: "ms", read: ({ p999Ms }: OpenSample) => p999Ms },
    { what: "CPU a sidecar", unit: "vCPU", read: ({ cpuPerHop }: OpenSample) => cpuPerHop },
    { what: "failures", unit: "requests", read: ({ failures }: OpenSample) => failures },
  ];
  return chains.flatMap(({ name }) =>
    reads.flatMap(({ what, unit, read }) =>
      against(
        `${rate}/s, 16 connections: ${name}, ${what}`,
        round(of(name, read), 3),
        unit,
        name,
        (peer) => of(peer, read),
        samples,
      ),
    ),
  );
}

async function runOpenLoop({ port, processes }: Chain, rate: number, seconds: number): Promise<OpenSample> {
  const ticks = () => processes.reduce((sum, { pid }) => sum + cpuTicks(pid), 0);
  const before = ticks();
  const started = performance.now();
  const argv = [
    resolve("test/bench/rig/open-loop.mjs"),
    HOST,
    String(port),
    SMALL_PATH,
    String(rate),
    "16",
    String(seconds),
  ];
  const text = await run("taskset", ["-c", String(LOAD_CORE), process.execPath, ...argv]);
  // The generator's own start and end are short of load; the first second of its load is left out of latencies, not of CPU.
  const busySeconds = (performance.now() - started) / 1000 - 0.75;
  const cpuPerHop = (ticks() - before) / 100 / busySeconds / HOPS;
  return { ...(JSON.parse(text) as Omit<OpenSample, "cpuPerHop">), cpuPerHop };
}

/** One figure, for ours one with each peer's ratio. */
function against(
  figure: string,
  value: number,
  unit: string,
  name: string,
  of: (peer: string) => number,
  present: ReadonlyMap<string, unknown>,
): readonly Figure[] {
  const peers = name.startsWith("ours") ? PEERS.filter((peer) => present.has(peer)) : [];
  if (peers.length === 0 || unit === "requests") return [{ figure, value, unit }];
  return peers.map((peer) => ({ figure, value, unit, peer, ratio: round(value / of(peer), 3) }));
}

async function startChains(
  scope: ReturnType<typeof createScope>,
  note: (text: string) => void,
  isHttp2: boolean,
): Promise<readonly Chain[]> {
  const dir = mkdtempSync(join(tmpdir(), "ag-bench-"));
  scope.after(() => rmSync(dir, { recursive: true, force: true }));
  const authority = createBenchAuthority(dir);
  const [client, server] = [authority.issue("client"), authority.issue("server")];
  const tls = {
    client: { root: authority.root, chain: client.chain, key: client.key, peer: server.id },
    server: { root: authority.root, chain: server.chain, key: server.key, peer: client.id },
  };
  const file = (name: string, text: string) => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };
  const start = async (core: number, argv: readonly string[]) => {
    const started = startPinned(core, argv, dir);
    scope.after(() => started.stop());
    return started;
  };
  const chains: Chain[] = [];
  const add = async (name: string, port: number, processes: readonly Promise<Pinned>[]) => {
    chains.push({ name, port, processes: await Promise.all(processes) });
    await untilListening(port);
  };

  const backend = await freePort();
  await start(LOAD_CORE, [
    "nginx",
    "-p",
    dir,
    "-c",
    file("backend.conf", isHttp2 ? nginxHttp2Config(backend, dir) : nginxConfig(backend, dir)),
  ]);
  await add("direct", backend, []);

  if (find("haproxy") === undefined) note("haproxy is not installed: left out");
  else {
    const [port, between] = [await freePort(), await freePort()];
    const hop = (side: "client" | "server", listen: number, to: number, pem: string) =>
      start(PROXY_CORE, [
        "haproxy",
        "-db",
        "-q",
        "-f",
        file(`haproxy-${side}.cfg`, haproxyHop({ listen, to, pem, root: authority.rootFile, side, isHttp2 })),
      ]);
    await add("haproxy", port, [
      hop("server", between, backend, server.bundle),
      hop("client", port, between, client.bundle),
    ]);
  }

  const envoyPath = process.env.ARGYLE_BENCH_ENVOY ?? find("envoy");
  if (envoyPath === undefined) note("Envoy is not installed (ARGYLE_BENCH_ENVOY=/path/to/envoy): left out");
  else {
    const [port, between] = [await freePort(), await freePort()];
    const quiet = ["--concurrency", "1", "--log-level", "critical", "--use-dynamic-base-id"];
    const envoy = (name: string, bootstrap: object) =>
      start(PROXY_CORE, [envoyPath, "-c", file(name, JSON.stringify(bootstrap)), ...quiet]);
    await add("Envoy", port, [
      envoy(
        "envoy-b.json",
        inboundBootstrap({ listen: between, backend, tls: tls.server, hasIstioStats: false, isHttp2 }),
      ),
      envoy("envoy-a.json", envoyBootstrap({ port, backend: between, tls: tls.client, hasIstioStats: false, isHttp2 })),
    ]);
  }

  const ours = (name: string, bootstrap: object) =>
    start(PROXY_CORE, [process.execPath, resolve("dist/proxy.cjs"), "--config", file(name, JSON.stringify(bootstrap))]);
  for (const wire of ["TCP", "unix socket"] as const) {
    for (const isShared of [false, true]) {
      const port = await freePort();
      const id = `${wire.slice(0, 3)}-${isShared}`;
      const between = wire === "TCP" ? await freePort() : join(dir, `${id}.sock`);
      const a = envoyBootstrap({ port, backend: between, tls: tls.client, hasIstioStats: true, isHttp2 });
      const b = inboundBootstrap({ listen: between, backend, tls: tls.server, hasIstioStats: true, isHttp2 });
      const processes = isShared
        ? [ours(`ours-${id}.json`, mergeBootstraps(a, b))]
        : [ours(`ours-b-${id}.json`, b), ours(`ours-a-${id}.json`, a)];
      await add(`ours, ${isShared ? "one process" : "two processes"}, ${wire}`, port, processes);
    }
  }
  return chains;
}
