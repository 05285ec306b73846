/**
 * A body of 1 GB each way, through one sidecar and through two with mTLS between them, to a reader that stands still now and then: the
 * proxies' memory must not grow with the body. `--quick`: 128 MB.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, untilListening } from "../bench/rig/dataplane-load.ts";
import { type BenchOptions, createScope, type Figure, round } from "../bench/rig/figure.ts";
import { type MemoryWatch, watchMemory } from "./parts/resident-memory.ts";
import { mutualTlsPair, plainSidecar } from "./parts/sidecar-pair.ts";
import { readSlowly, sendPattern } from "./parts/slow-transfer.ts";

const MB = 1024 * 1024;
/** Resident memory that a proxy may take more than before the first body. */
const MAX_GROWTH_MB = 60;

interface Path {
  readonly name: string;
  readonly port: number;
  readonly pids: readonly number[];
}

export async function bench({ isQuick, note }: BenchOptions): Promise<readonly Figure[]> {
  const bytes = (isQuick ? 128 : 1024) * MB;
  const scope = createScope();
  try {
    const dir = mkdtempSync(join(tmpdir(), "ag-soak-"));
    scope.after(() => rmSync(dir, { recursive: true, force: true }));
    const backend = await startBackend(scope, bytes);
    const figures: Figure[] = [];
    for (const path of await startPaths(scope, dir, backend)) {
      for (const direction of ["response", "request"] as const) {
        const watch: MemoryWatch = watchMemory(path.pids);
        const started = performance.now();
        await (direction === "response" ? download(path.port, bytes) : upload(path.port, bytes));
        const seconds = (performance.now() - started) / 1000;
        const memory = watch.stop();
        const growth = Math.max(...memory.map(({ atStart, peak }) => peak - atStart));
        note(
          `${path.name}, ${direction}: ${memory.map((m) => `${m.atStart.toFixed(0)} → ${m.peak.toFixed(0)} MB`).join(", ")}`,
        );
        figures.push({
          figure: `${path.name}, ${direction} of ${bytes / MB} MB: memory grew by`,
          value: round(growth),
          unit: "MB",
        });
        figures.push({
          figure: `${path.name}, ${direction} of ${bytes / MB} MB: took`,
          value: round(seconds),
          unit: "s",
        });
        if (growth > MAX_GROWTH_MB)
          throw new Error(`memory grew by ${growth.toFixed(0)} MB, the limit is ${MAX_GROWTH_MB}`);
      }
    }
    return figures;
  } finally {
    await scope.close();
  }
}

type Scope = ReturnType<typeof createScope>;

async function startPaths(scope: Scope, dir: string, backend: number): Promise<readonly Path[]> {
  const start = async (name: string, port: number, config: object): Promise<number> => {
    const file = join(dir, `${name}.json`);
    writeFileSync(file, JSON.stringify(config));
    const child = spawn(process.execPath, ["dist/proxy.cjs", "--config", file, "--log-level", "warn"], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    scope.after(async () => {
      child.kill("SIGTERM");
      await gone;
    });
    await untilListening(port);
    return child.pid ?? 0;
  };
  const plain = await freePort();
  const outbound = await freePort();
  const inbound = await freePort();
  const pair = await mutualTlsPair({ outbound, inbound, backend });
  return [
    { name: "one sidecar", port: plain, pids: [await start("plain", plain, plainSidecar(plain, backend))] },
    {
      name: "two sidecars, mTLS",
      port: outbound,
      pids: [await start("inbound", inbound, pair.inbound), await start("outbound", outbound, pair.outbound)],
    },
  ];
}

/** GET: sends the pattern. POST: reads it slowly, then answers. */
async function startBackend(scope: Scope, bytes: number): Promise<number> {
  const server = createServer((incoming, response) => {
    if (incoming.method === "GET") {
      response.writeHead(200, { "content-length": bytes });
      sendPattern(response, bytes).catch((error: unknown) => response.destroy(error as Error));
      return;
    }
    readSlowly(incoming, bytes).then(
      () => response.end("whole"),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  scope.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function download(port: number, bytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    request({ port, host: "127.0.0.1", agent: false }, (incoming) => readSlowly(incoming, bytes).then(resolve, reject))
      .on("error", reject)
      .end();
  });
}

function upload(port: number, bytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ port, host: "127.0.0.1", agent: false, method: "POST" }, (incoming) => {
      let answer = "";
      incoming.on("data", (chunk) => {
        answer += chunk;
      });
      incoming.on("end", () =>
        answer === "whole" ? resolve() : reject(new Error(`${incoming.statusCode}: ${answer}`)),
      );
    }).on("error", reject);
    sendPattern(outgoing, bytes).catch(reject);
  });
}
