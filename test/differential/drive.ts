/** Plays one case through one lane of one proxy and gives what could be seen from outside. */
import { readFileSync, statSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Backend } from "./backend.ts";
import { BACKENDS, type BackendName, type Lane } from "./bootstrap.ts";
import type { Case } from "./case.ts";
import { type Message, parseMessages } from "./messages.ts";

export interface LaneUnderTest {
  readonly lane: Lane;
  readonly index: number;
  readonly backends: Readonly<Record<BackendName, Backend>>;
}

export interface Outcome {
  readonly responses: readonly Message[];
  /** A proxy that said `connection: close` may wait for the client, or not. */
  readonly connection: "kept" | "closed";
  /** What each backend got, whatever connections it came on. */
  readonly upstream: readonly { readonly backend: string; readonly requests: readonly Message[] }[];
  /** Status, response flags and response code details of each request. */
  readonly log: readonly string[];
}

const QUIET_MS = 70;
const LONGEST_MS = 8000;
const SETTLE_MS = 25;
/** Both gather their access log before they write it: ours for 100 ms. */
const LOG_MS = 140;

export async function drive(one: Case, under: LaneUnderTest, patience = 1): Promise<Outcome> {
  const { lane, backends } = under;
  const logStart = sizeOf(lane.accessLog);
  for (const name of BACKENDS) backends[name].begin(one.answers);
  const port = lane.listeners[one.listener ?? "main"];
  if (port === undefined) throw new Error(`${one.name}: no listener ${one.listener}`);
  const client = await exchange(one, port, backends, (one.quietMs ?? QUIET_MS) * patience);
  for (const name of BACKENDS) backends[name].cut();
  await sleep(SETTLE_MS * patience);
  const isHead = one.send.some((piece) => typeof piece === "string" && piece.startsWith("HEAD "));
  const responses = parseMessages(client.received, "response", isHead).map(withoutVolatile);
  const isClosing = client.isClosed || responses.at(-1)?.fields.includes("connection: close") === true;
  return {
    responses,
    connection: isClosing ? "closed" : "kept",
    upstream: BACKENDS.flatMap((name) => {
      const requests = backends[name].received.flatMap((text) => parseMessages(text, "request").map(withoutVolatile));
      return requests.length === 0 ? [] : [{ backend: name, requests }];
    }),
    log: await untilLogged(lane.accessLog, logStart, Math.max(1, responses.filter(isFinal).length), patience),
  };
}

async function exchange(
  one: Case,
  port: number,
  backends: LaneUnderTest["backends"],
  quietMs: number,
): Promise<{ readonly received: string; readonly isClosed: boolean }> {
  const socket: Socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  let received = "";
  let isClosed = false;
  let lastActivity = performance.now();
  const see = () => {
    lastActivity = performance.now();
  };
  socket.on("data", (chunk) => {
    received += chunk.toString("latin1");
    see();
  });
  for (const event of ["end", "close"] as const)
    socket.on(event, () => {
      isClosed = true;
    });
  socket.on("error", () => undefined);
  const started = performance.now();
  const isOver = () => {
    const now = performance.now();
    const last = Math.max(lastActivity, ...BACKENDS.map((name) => backends[name].lastActivity));
    return isClosed || now - last > quietMs || now - started > LONGEST_MS;
  };
  for (const piece of one.send) {
    if (typeof piece === "string") {
      socket.write(piece, "latin1");
      see();
    } else while (!received.includes(piece.after) && !isOver()) await sleep(2);
  }
  if (one.halfCloses === true) socket.end();
  while (!isOver()) await sleep(3);
  // What was sent before the end may still be on its way to a backend.
  if (isClosed) await sleep(10);
  socket.destroy();
  return { received, isClosed };
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function withoutVolatile(message: Message): Message {
  const clean = (fields: readonly string[]) =>
    fields.map((field) => {
      const colon = field.indexOf(": ");
      const name = field.slice(0, colon);
      const value = field.slice(colon + 2);
      if (name === "date" && / GMT$/.test(value)) return "date: <date>";
      if (name === "x-request-id" && UUID.test(value)) return "x-request-id: <uuid>";
      if (name === "x-envoy-expected-rq-timeout-ms" && /^(149\d\d|15000)$/.test(value))
        return `${name}: <15000 less what was spent>`;
      if (name === "x-envoy-upstream-service-time" && /^\d+$/.test(value)) return `${name}: <ms>`;
      return field;
    });
  return { ...message, fields: clean(message.fields), trailers: clean(message.trailers) };
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function isFinal({ start }: Message): boolean {
  return !/^HTTP\/1\.\d 1(?!01)/.test(start);
}

async function untilLogged(path: string, start: number, lines: number, patience: number): Promise<readonly string[]> {
  const end = performance.now() + LOG_MS * patience;
  for (;;) {
    const log = logSince(path, start);
    if (log.length >= lines || performance.now() > end) return log;
    await sleep(10);
  }
}

function logSince(path: string, start: number): readonly string[] {
  if (sizeOf(path) === 0) return [];
  return readFileSync(path).subarray(start).toString("latin1").split("\n").filter(Boolean).toSorted();
}
