/** A real API server on a free port in a temporary directory, and a small HTTPS client for it. Imported by tests only. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { connect } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { silentLogger, systemClock } from "@argyle/core";
import { type TestScope, tempDir } from "@argyle/testkit";
import type { ApiServer, DialService } from "../src/index.ts";
import { startApiServer } from "../src/index.ts";

declare const __ARGYLE_ROOT__: string;

export interface Answer {
  readonly code: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests reach into answers of every shape
  readonly body: any;
}

export interface Ask {
  readonly body?: unknown;
  readonly type?: string;
  readonly accept?: string;
  readonly token?: string;
  readonly anonymous?: boolean;
}

export interface Harness {
  readonly server: ApiServer;
  readonly stateDir: string;
  ask(method: string, path: string, ask?: Ask): Promise<Answer>;
  /** Fails unless the answer has this code. */
  must(code: number, method: string, path: string, ask?: Ask): Promise<Answer>;
  /** Lines of a watch until `until` says enough. */
  watch(path: string, until: (events: readonly WatchLine[]) => boolean, accept?: string): Promise<readonly WatchLine[]>;
  open(path: string): Promise<IncomingMessage>;
}

export interface WatchLine {
  readonly type: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests reach into answers of every shape
  readonly object: any;
}

export function readAssets(): unknown {
  return JSON.parse(readFileSync(join(__ARGYLE_ROOT__, "dist/assets/schemas.json"), "utf8"));
}

export function dialTcp(host: string, port: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host, () => resolve(socket));
    socket.once("error", reject);
  });
}

export async function startHarness(
  test: TestScope,
  options: { readonly stateDir?: string; readonly dialService?: DialService } = {},
): Promise<Harness> {
  const stateDir = options.stateDir ?? tempDir(test);
  const server = await startApiServer({
    stateDir,
    host: "127.0.0.1",
    port: 0,
    assets: readAssets(),
    clock: systemClock,
    log: silentLogger,
    dialService: options.dialService ?? dialTcp,
  });
  const tls = { ca: server.pki.caCertPem, keepAlive: true };
  const admin = new Agent({ ...tls, cert: server.pki.admin.certPem, key: server.pki.admin.keyPem });
  const nobody = new Agent(tls);
  let isClosed = false;
  const close = async () => {
    if (isClosed) return;
    isClosed = true;
    admin.destroy();
    nobody.destroy();
    await server.close();
  };
  (test.after as (fn: () => Promise<void>) => void)(close);

  const send = (method: string, path: string, ask: Ask): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const bytes = ask.body === undefined || Buffer.isBuffer(ask.body) ? ask.body : JSON.stringify(ask.body);
      const outgoing = httpsRequest(`${server.url}${path}`, {
        method,
        agent: ask.anonymous === true || ask.token !== undefined ? nobody : admin,
        headers: {
          "user-agent": "harness/1",
          ...(bytes === undefined
            ? {}
            : {
                // Node sends the body of a DELETE without a length unless told.
                "content-length": String(Buffer.byteLength(bytes)),
                "content-type": ask.type ?? "application/json",
              }),
          ...(ask.accept === undefined ? {} : { accept: ask.accept }),
          ...(ask.token === undefined ? {} : { authorization: `Bearer ${ask.token}` }),
        },
      });
      outgoing.on("response", resolve);
      outgoing.on("error", reject);
      outgoing.end(bytes);
    });

  const ask = async (method: string, path: string, options: Ask = {}): Promise<Answer> => {
    const response = await send(method, path, options);
    let text = "";
    for await (const chunk of response.setEncoding("utf8")) text += chunk;
    const isJson = (response.headers["content-type"] ?? "").startsWith("application/json");
    return {
      code: response.statusCode ?? 0,
      headers: response.headers,
      text,
      body: isJson ? JSON.parse(text) : undefined,
    };
  };
  return {
    server: { ...server, close },
    stateDir,
    ask,
    async must(code, method, path, options) {
      const answer = await ask(method, path, options);
      assert.equal(answer.code, code, `${method} ${path}: ${answer.text.slice(0, 400)}`);
      return answer;
    },
    open: (path) => send("GET", path, {}),
    async watch(path, until, accept) {
      const response = await send("GET", path, accept === undefined ? {} : { accept });
      assert.equal(response.statusCode, 200);
      const events: WatchLine[] = [];
      let rest = "";
      for await (const chunk of response.setEncoding("utf8")) {
        rest += chunk;
        const lines = rest.split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) events.push(JSON.parse(line));
        if (until(events)) break;
      }
      return events;
    },
  };
}

/** The service account that the controllers would make: pods are refused without it. */
export async function makeDefaultAccount(harness: Harness, namespace = "default"): Promise<void> {
  await harness.must(201, "POST", `/api/v1/namespaces/${namespace}/serviceaccounts`, {
    body: { metadata: { name: "default" } },
  });
}
