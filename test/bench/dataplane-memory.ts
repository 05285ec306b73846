/**
 * What connections cost a proxy in memory: 10,000 idle ones, plain and with mTLS, before and after one request each; the growth of its resident
 * set. Many sidecars in one process are in bench memory. Linux; needs taskset, nginx and openssl.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { envoyBootstrap, HOST, inboundBootstrap } from "./rig/dataplane-config.ts";
import { find, freePort, type Pinned, startPinned, untilListening } from "./rig/dataplane-load.ts";
import { type BenchOptions, createScope, type Figure, round } from "./rig/figure.ts";
import { nginxConfig } from "./rig/peer-config.ts";
import { createBenchAuthority } from "./rig/workload-certificates.ts";

const CONNECTIONS = 10_000;

export async function bench({ isQuick, note, only }: BenchOptions): Promise<readonly Figure[]> {
  for (const program of ["taskset", "nginx", "openssl"])
    if (find(program) === undefined) throw new Error(`${program} is needed`);
  const scope = createScope();
  try {
    const dir = mkdtempSync(join(tmpdir(), "ag-bench-"));
    scope.after(() => rmSync(dir, { recursive: true, force: true }));
    const file = (name: string, text: string) => {
      writeFileSync(join(dir, name), text);
      return join(dir, name);
    };
    const backend = await freePort();
    const start = async (port: number, argv: readonly string[]): Promise<Pinned> => {
      const process = startPinned(1, argv, dir);
      scope.after(() => process.stop());
      await untilListening(port);
      return process;
    };
    await start(backend, ["nginx", "-p", dir, "-c", file("backend.conf", nginxConfig(backend, dir))]);
    const authority = createBenchAuthority(dir);
    const [client, server] = [authority.issue("client"), authority.issue("server")];
    const credentials = JSON.stringify({ ca: authority.root, cert: client.chain, key: client.key });
    const tls = { root: authority.root, chain: server.chain, key: server.key, peer: client.id };
    const count = isQuick ? CONNECTIONS / 10 : CONNECTIONS;
    const figures: Figure[] = [];
    const cases = [
      { name: "plain", tls: "plain", host: "none" },
      { name: "plain, after one request", tls: "plain", host: HOST },
      { name: "mTLS", tls: credentials, host: "none" },
      { name: "mTLS, after one request", tls: credentials, host: HOST },
    ];
    for (const { name, tls: kind, host } of cases) {
      if (!name.includes(only)) continue;
      const port = await freePort();
      const config =
        kind === "plain"
          ? envoyBootstrap({ port, backend, hasIstioStats: true })
          : inboundBootstrap({ listen: port, backend, tls, hasIstioStats: true });
      const path = file(`${port}.json`, JSON.stringify(config));
      const target = await start(port, [process.execPath, resolve("dist/proxy.cjs"), "--config", path]);
      // A first few connections load what is loaded once.
      await (await holdConnections(port, 64, kind, host)).end();
      await sleep(1000);
      const before = residentKb(target.pid);
      const clients = await holdConnections(port, count, kind, host);
      await sleep(3000);
      figures.push({
        figure: `${count} idle connections: ${name}, each`,
        value: round((residentKb(target.pid) - before) / count, 1),
        unit: "kB",
      });
      await clients.end();
      await target.stop();
      note(name);
    }
    return figures;
  } finally {
    await scope.close();
  }
}

async function holdConnections(port: number, count: number, tls: string, host: string) {
  const argv = [resolve("test/bench/rig/idle-clients.mjs"), String(port), String(count), tls, host];
  const child = spawn(process.execPath, argv, { stdio: ["pipe", "pipe", "inherit"] });
  const gone = once(child, "exit");
  const first = await Promise.race([once(child.stdout, "data"), gone.then(() => undefined)]);
  if (first === undefined) throw new Error("the idle clients ended before all were connected");
  return {
    async end() {
      child.stdin.end();
      await gone;
    },
  };
}

function residentKb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}
