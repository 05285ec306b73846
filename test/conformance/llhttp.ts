/**
 * llhttp's own transcripts: bytes in, spans out. Our readers are strict, so only the strict types are replayed: where llhttp refuses, so must
 * we; where it accepts, method, target, status, headers, body and trailers must be the same. Heads are compared from "headers complete" on: a
 * reader that tells of a head only when it is whole says nothing of half a one.
 */
import type { HeaderBlock, RequestEvent, ResponseEvent } from "@argyle/codec";
import { createRequestReader, createResponseReader } from "@argyle/codec";
import { type Case, difference, judge, type Verdict } from "./case.ts";
import type { PeerFolder } from "./peer-folder.ts";

interface LlhttpCase {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly kind: string;
  readonly mode: string;
  readonly meta: { readonly skipBody?: boolean; readonly pause?: string } | null;
  readonly input_b64: string;
  readonly log: readonly string[];
  readonly error: { readonly code: number; readonly reason: string } | null;
}

interface Message {
  start: string;
  headers: string[];
  trailers: string[];
  body: string;
  isComplete: boolean;
}

interface Transcript {
  readonly messages: readonly Message[];
  readonly error: string | undefined;
  /** "closed" | "error" after an end of stream, where the case asks for one. */
  readonly atEnd?: string;
}

const PAUSE_UPGRADE = 22;
const PAUSE_PREFACE = 23;

export async function* replay(dir: PeerFolder): AsyncGenerator<Case> {
  for (const file of dir.files(".json")) {
    for (const one of dir.json(file) as readonly LlhttpCase[])
      yield await judge(`${one.file}:${one.line} [${one.mode}] ${one.name}`, () => verdictOf(one));
  }
}

function verdictOf(one: LlhttpCase): Verdict {
  if (one.kind === "url") return { missing: "a parser of URLs alone: the reader leaves the target as it was sent" };
  const role = /^(request|response)(?:-finish)?$/.exec(one.mode)?.[1];
  if (role === undefined) return { missing: `${one.mode}: the readers have no lenient mode` };
  if (one.error?.code === PAUSE_PREFACE)
    return { missing: "the HTTP/2 preface is told apart before the HTTP/1 reader" };
  const skipsBody = one.meta?.skipBody === true;
  if (role === "request" && skipsBody)
    return { missing: "a caller that says a request has no body although it announces one" };
  const foreign = one.log.find((line) => /span\[protocol\]="(?!HTTP")|span\[version\]="(?!1\.[01]")/.test(line));
  if (one.error === null && foreign !== undefined)
    return { missing: `only HTTP/1.0 and HTTP/1.1 are read: ${foreign}` };

  const input = Buffer.from(one.input_b64, "base64");
  const want = expected(one, role, input);
  const isFinished = one.mode.endsWith("-finish");
  const whole =
    role === "request"
      ? readRequests(input, input.length, isFinished)
      : readResponses(input, input.length, isFinished, skipsBody);
  const bytewise =
    role === "request" ? readRequests(input, 1, isFinished) : readResponses(input, 1, isFinished, skipsBody);
  // RFC 9112 §5.2 lets a server refuse or unfold; Envoy refuses, and so do we.
  if (want.error === undefined && whole.error?.startsWith("folded-header") === true)
    return { missing: "header values folded over several lines: they are refused" };
  return [...compare("", whole, want), ...compare("byte by byte, ", bytewise, want)];
}

function compare(how: string, got: Transcript, want: Transcript): readonly string[] {
  const out: string[] = [];
  if (want.error !== undefined && got.error === undefined) out.push(`${how}accepted, llhttp refuses: ${want.error}`);
  if (want.error === undefined && got.error !== undefined) out.push(`${how}refused (${got.error}), llhttp accepts`);
  if (want.atEnd !== undefined) out.push(...difference(`${how}end of stream`, got.atEnd, want.atEnd));
  // What was read before an error is not compared: the reader may refuse a head that llhttp refuses only later.
  if (want.error === undefined && got.error === undefined)
    out.push(...difference(`${how}messages`, got.messages, want.messages));
  return out;
}

/** llhttp's log as messages: it tells where each span lies; its text is taken from the input. */
function expected(one: LlhttpCase, role: string, input: Buffer): Transcript {
  const messages: Message[] = [];
  let spans: Record<string, string> = {};
  let field = "";
  let held: Message | undefined;
  let pending: string[] = [];
  let atEnd: string | undefined;
  for (const line of one.log) {
    const span = /^off=(\d+) len=(\d+) span\[(\w+)\]=/.exec(line);
    if (span !== null) {
      const [, offset = "", length = "", name = ""] = span;
      const text = input.toString("latin1", Number(offset), Number(offset) + Number(length));
      if (name === "body" && held !== undefined) held.body += text;
      else spans[name] = (spans[name] ?? "") + text;
    } else if (line.endsWith(" message begin")) {
      spans = {};
      pending = [];
      held = undefined;
    } else if (line.endsWith(" header_field complete")) {
      field = spans.header_field ?? "";
      spans.header_field = "";
    } else if (line.endsWith(" header_value complete")) {
      pending.push(`${field.toLowerCase()}: ${(spans.header_value ?? "").trimEnd()}`);
      spans.header_value = "";
    } else if (line.includes(" headers complete ")) {
      const status = /status=(\d+)/.exec(line)?.[1] ?? "";
      const start =
        role === "request"
          ? `${spans.method} ${spans.url} ${spans.version}`
          : `${spans.version} ${status} ${spans.status ?? ""}`;
      held = { start, headers: pending, trailers: [], body: "", isComplete: false };
      messages.push(held);
      pending = [];
    } else if (line.endsWith(" message complete") && held !== undefined) {
      held.trailers = pending;
      held.isComplete = true;
      pending = [];
    }
    // finish=0: safe (nothing was cut), 1: safe and ends the message, 2: unsafe.
    const finish = /^off=NULL finish=(\d)$/.exec(line)?.[1];
    if (finish !== undefined) {
      atEnd = finish === "2" ? "cut" : "closed";
      if (finish === "1" && held !== undefined) held.isComplete = true;
    }
  }
  const isRefused = one.error !== null && one.error.code !== PAUSE_UPGRADE;
  return {
    messages,
    error: isRefused ? one.error?.reason : undefined,
    ...(atEnd === undefined ? {} : { atEnd }),
  };
}

function readRequests(input: Buffer, step: number, isFinished: boolean): Transcript {
  const reader = createRequestReader();
  let isTunnel = false;
  return drive(input, step, isFinished, {
    feed: (piece) => reader.feed(piece, 0, piece.length),
    finish: () => reader.finish(),
    next: () => reader.next(),
    startOf(event) {
      if (event.head.kind !== "request") return "";
      const { method, target, minor, upgrade } = event.head;
      isTunnel = method === "CONNECT" || upgrade !== undefined;
      return `${method} ${target} 1.${minor}`;
    },
    goOn() {
      if (isTunnel) return false;
      reader.nextMessage();
      return true;
    },
  });
}

function readResponses(input: Buffer, step: number, isFinished: boolean, skipsBody: boolean): Transcript {
  const reader = createResponseReader();
  const context = { method: skipsBody ? "HEAD" : "GET" };
  reader.nextMessage(context);
  return drive(input, step, isFinished, {
    feed: (piece) => reader.feed(piece, 0, piece.length),
    finish: () => reader.finish(),
    next: () => reader.next(),
    startOf(event) {
      if (event.head.kind !== "response") return "";
      const { status, reason, minor } = event.head;
      return `1.${minor} ${status} ${reason}`;
    },
    goOn() {
      reader.nextMessage(context);
      return true;
    },
  });
}

interface Driver {
  feed(piece: Buffer): void;
  finish(): void;
  next(): RequestEvent | ResponseEvent;
  startOf(event: Extract<RequestEvent | ResponseEvent, { readonly kind: "head" | "informational" }>): string;
  /** After a message: false when what follows is another protocol. */
  goOn(): boolean;
}

function drive(input: Buffer, step: number, isFinished: boolean, driver: Driver): Transcript {
  const messages: Message[] = [];
  let at = 0;
  let isLast = false;
  let atEnd: string | undefined;
  const result = (error: string | undefined): Transcript => ({
    messages,
    error: atEnd === undefined ? error : undefined,
    ...(atEnd === undefined ? {} : { atEnd }),
  });
  // Each turn reads, ends or moves on, so the bytes and the messages bound the turns.
  for (let turn = 0; turn < input.length * 20 + 100; turn++) {
    const event = driver.next();
    const held = messages.at(-1);
    switch (event.kind) {
      case "head":
      case "informational":
        messages.push({
          start: driver.startOf(event),
          headers: fieldsOf(event.head.headers),
          trailers: [],
          body: "",
          isComplete: event.kind === "informational" || event.head.framing === "tunnel",
        });
        if (event.head.framing === "tunnel") return result(undefined);
        break;
      case "body":
        if (held !== undefined) held.body += event.buffer.toString("latin1", event.start, event.end);
        break;
      case "trailers":
        if (held !== undefined) held.trailers = fieldsOf(event.headers);
        break;
      case "end":
        if (held !== undefined) held.isComplete = true;
        if (!driver.goOn()) return result(undefined);
        break;
      case "paused":
        throw new Error("the reader waits for a next message that was announced");
      case "need-data":
        if (at < input.length) {
          // The reader lower-cases in place: it gets a copy.
          const piece = Buffer.from(input.subarray(at, at + step));
          at += piece.length;
          driver.feed(piece);
        } else if (isFinished && !isLast) {
          isLast = true;
          driver.finish();
        } else return result(undefined);
        break;
      case "closed":
        if (isLast) atEnd = "closed";
        return result(undefined);
      case "error":
        if (isLast) atEnd = "cut";
        return result(`${event.error.code}: ${event.error.message}`);
    }
  }
  throw new Error("the reader does not come to an end");
}

function fieldsOf(headers: HeaderBlock): string[] {
  const out: string[] = [];
  headers.forEach((name, value) => {
    out.push(`${name}: ${value}`);
  });
  return out;
}
