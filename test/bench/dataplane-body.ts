/**
 * Large bodies: 200 MB through one connection (throughput, CPU a GB), and a client that reads 1 MB/s of them while the proxy's memory is watched.
 * Each proxy on core 0; client and nginx on core 1. Linux; needs taskset and nginx.
 */
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { envoyBootstrap, HOST, LARGE_PATH } from "./rig/dataplane-config.ts";
import { cpuTicks, find, freePort, median, run, startPinned, untilListening } from "./rig/dataplane-load.ts";
import { type BenchOptions, createScope, type Figure, round } from "./rig/figure.ts";
import { haproxyConfig, nginxConfig } from "./rig/peer-config.ts";

const MEGABYTES = 200;
const SLOW_BYTES = 1024 * 1024;

interface Read {
  readonly bytes: number;
  readonly ms: number;
}

export async function bench({ isQuick, note }: BenchOptions): Promise<readonly Figure[]> {
  for (const program of ["taskset", "nginx"]) if (find(program) === undefined) throw new Error(`${program} is needed`);
  const scope = createScope();
  try {
    const dir = mkdtempSync(join(tmpdir(), "ag-bench-"));
    scope.after(() => rmSync(dir, { recursive: true, force: true }));
    const file = (name: string, text: string) => {
      writeFileSync(join(dir, name), text);
      return join(dir, name);
    };
    const start = async (core: number, port: number, argv: readonly string[]) => {
      const process = startPinned(core, argv, dir);
      scope.after(() => process.stop());
      await untilListening(port);
      return { port, pid: process.pid };
    };
    truncateSync(file("large", ""), MEGABYTES * 1024 * 1024);
    const backend = await freePort();
    const nginx = ["nginx", "-p", dir, "-c", file("backend.conf", nginxConfig(backend, dir))];
    const targets = [{ name: "direct", ...(await start(1, backend, nginx)) }];
    const [haproxyPort, envoyPort, ownPort] = [await freePort(), await freePort(), await freePort()];
    if (find("haproxy") === undefined) note("haproxy is not installed: left out");
    else {
      const argv = ["haproxy", "-db", "-q", "-f", file("haproxy.cfg", haproxyConfig(haproxyPort, backend, false))];
      targets.push({ name: "haproxy", ...(await start(0, haproxyPort, argv)) });
    }
    const envoy = process.env.ARGYLE_BENCH_ENVOY ?? find("envoy");
    const bootstrap = (port: number, hasIstioStats: boolean) =>
      file(`${port}.json`, JSON.stringify(envoyBootstrap({ port, backend, hasIstioStats })));
    if (envoy === undefined) note("Envoy is not installed (ARGYLE_BENCH_ENVOY=/path/to/envoy): left out");
    else {
      const quiet = ["--concurrency", "1", "--log-level", "critical", "--use-dynamic-base-id"];
      const argv = [envoy, "-c", bootstrap(envoyPort, false), ...quiet];
      targets.push({ name: "Envoy", ...(await start(0, envoyPort, argv)) });
    }
    const argv = [process.execPath, resolve("dist/proxy.cjs"), "--config", bootstrap(ownPort, true)];
    const ours = { name: "ours", ...(await start(0, ownPort, argv)) };
    targets.push(ours);

    const read = async (port: number, perSecond: number, seconds: number): Promise<Read> => {
      const script = resolve("test/bench/rig/body-client.mjs");
      const args = [script, String(port), LARGE_PATH, HOST, String(perSecond), String(seconds)];
      return JSON.parse(await run("taskset", ["-c", "1", process.execPath, ...args])) as Read;
    };
    const rates = new Map<string, number[]>(targets.map(({ name }) => [name, []]));
    const cpu = new Map<string, number[]>(targets.map(({ name }) => [name, []]));
    for (const { port } of targets) await read(port, 0, 30);
    for (let i = 0; i < (isQuick ? 1 : 7); i++) {
      for (const { name, port, pid } of targets) {
        const before = cpuTicks(pid);
        const { bytes, ms } = await read(port, 0, 30);
        if (bytes < MEGABYTES * 1024 * 1024) throw new Error(`${name}: the body was cut after ${bytes} bytes`);
        rates.get(name)?.push(bytes / 1024 / 1024 / (ms / 1000));
        cpu.get(name)?.push(((cpuTicks(pid) - before) * 10) / (bytes / 1024 ** 3));
      }
      note(`round ${i + 1}`);
    }
    const figures: Figure[] = [];
    const haproxy = { rate: median(rates.get("haproxy") ?? []), cpu: median(cpu.get("haproxy") ?? []) };
    for (const { name } of targets) {
      const peer = name === "haproxy" || haproxy.rate === 0 ? undefined : "haproxy";
      const figure = (what: string, value: number, unit: string, of: number) => {
        const base = { figure: `${MEGABYTES} MB, one connection: ${name}${what}`, value: round(value, 0), unit };
        figures.push(peer === undefined ? base : { ...base, peer, ratio: round(value / of, 2) });
      };
      figure("", median(rates.get(name) ?? []), "MB/s", haproxy.rate);
      if (name !== "direct") figure(", CPU", median(cpu.get(name) ?? []), "ms/GB", haproxy.cpu);
    }

    const residentMb = () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${ours.pid}/status`, "utf8"))?.[1]) / 1024;
    const before = residentMb();
    const watched: number[] = [];
    const watch = setInterval(() => watched.push(residentMb()), 100);
    const slow = await read(ours.port, SLOW_BYTES, isQuick ? 5 : 20);
    clearInterval(watch);
    const [firstHalf, secondHalf] = [watched.slice(0, watched.length / 2), watched.slice(watched.length / 2)];
    figures.push(
      { figure: "a reader of 1 MB/s: read", value: round(slow.bytes / 1024 / 1024, 1), unit: "MB" },
      { figure: "a reader of 1 MB/s: memory of ours before", value: round(before, 1), unit: "MB" },
      { figure: "a reader of 1 MB/s: most in the first half", value: round(Math.max(...firstHalf), 1), unit: "MB" },
      { figure: "a reader of 1 MB/s: most in the second half", value: round(Math.max(...secondHalf), 1), unit: "MB" },
    );
    return figures;
  } finally {
    await scope.close();
  }
}
