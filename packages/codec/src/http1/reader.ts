/**
 * The two HTTP/1 readers. Sans-io: bytes in by feed(), events out by next(); see events.ts for the contract.
 *
 * | phase      | bytes that come                                                        | leads to                        |
 * | ---------- | ---------------------------------------------------------------------- | ------------------------------- |
 * | idle       | responses: unexpected-response; requests: kept                         | between by nextMessage()        |
 * | between    | CR LF are skipped (RFC 9112 §2.2), the first other byte begins a head  | head                            |
 * | head       | until the empty line; then the head event                              | data, chunk-line, ending        |
 * | data       | body events: by length, of one chunk, until close, or of a tunnel      | chunk-line or ending            |
 * | chunk-line | size line of the next chunk                                            | data, after the last: trailers  |
 * | trailers   | until the empty line                                                   | ending                          |
 * | ending     | none are read; the end event                                           | idle                            |
 * | failed     | none are read                                                          | the same error for ever         |
 *
 * Invariant: body bytes are never copied; of a head only the part that a read cut off is.
 */
import { CR, LF } from "./chars.ts";
import { ChunkScanner } from "./chunk-scanner.ts";
import { codecError } from "./codec-errors.ts";
import type {
  BodyEvent,
  CodecErrorCode,
  ErrorEvent,
  Framing,
  ReaderEvent,
  ReaderOptions,
  RequestHead,
  RequestReader,
  ResponseContext,
  ResponseHead,
  ResponseReader,
  SignalEvent,
} from "./events.ts";
import { ENVOY_READER_OPTIONS } from "./events.ts";
import { HeadAccumulator } from "./head-accumulator.ts";
import { buildRequestHead, buildResponseHead, type HeadPolicy, headersOf, textOf } from "./head-builder.ts";
import { FAILED, HeadScanner, NEED_MORE } from "./head-scanner.ts";

export function createRequestReader(options: ReaderOptions = {}): RequestReader {
  return new MessageReader<RequestHead>("request", options, (scanner, buffer, origin, policy) =>
    buildRequestHead(scanner, buffer, origin, policy),
  );
}

export function createResponseReader(options: ReaderOptions = {}): ResponseReader {
  return new MessageReader<ResponseHead>("response", options, (scanner, buffer, origin, policy, context) =>
    buildResponseHead(scanner, buffer, origin, policy, context),
  );
}

type BuildHead<H> = (
  scanner: HeadScanner,
  buffer: Buffer,
  origin: number,
  policy: HeadPolicy,
  context: ResponseContext,
) => H | CodecErrorCode;

type Phase = "idle" | "between" | "head" | "chunk-line" | "trailers" | "data" | "ending" | "failed";

const NEED_DATA: SignalEvent = { kind: "need-data" };
const END: SignalEvent = { kind: "end" };
const PAUSED: SignalEvent = { kind: "paused" };
const CLOSED: SignalEvent = { kind: "closed" };
const EMPTY: Buffer = Buffer.alloc(0);
const NO_CONTEXT: ResponseContext = { method: "GET" };
/** Empty lines before a start line that we put up with; RFC 9112 asks for at least one. */
const MAX_EMPTY_LINES = 64;

class MessageReader<H extends RequestHead | ResponseHead> {
  private readonly role: "request" | "response";
  private readonly policy: HeadPolicy;
  private readonly buildHead: BuildHead<H>;
  private readonly scanner: HeadScanner;
  private readonly chunks = new ChunkScanner();
  private readonly cutHead: HeadAccumulator;
  private readonly bodyEvent: { kind: "body"; buffer: Buffer; start: number; end: number };

  private phase: Phase;
  private buffer = EMPTY;
  private at = 0;
  private end = 0;
  private isFinished = false;
  private context = NO_CONTEXT;
  private framing: Framing = "none";
  /** Bytes of the current body or chunk that are still to come; Infinity until close. */
  private remaining = 0;
  private mayContinue = true;
  private emptyLines = 0;
  /** RFC 9112 §2.2 asks servers to skip them before a request; before the first head of a response nothing may come. */
  private skipsEmptyLines: boolean;
  private error: ErrorEvent | undefined;

  constructor(role: "request" | "response", options: ReaderOptions, buildHead: BuildHead<H>) {
    this.role = role;
    this.skipsEmptyLines = role === "request";
    this.buildHead = buildHead;
    this.policy = {
      transferCodings: options.transferCodings ?? "any",
      preserveCase: options.preserveCase ?? false,
      bodiless: options.bodiless ?? "ignore",
    };
    const maxHeadBytes = options.maxHeadBytes ?? ENVOY_READER_OPTIONS.maxHeadBytes;
    const maxHeaders = options.maxHeaders ?? ENVOY_READER_OPTIONS.maxHeaders;
    this.scanner = new HeadScanner({ maxHeadBytes, maxHeaders }, this.policy.preserveCase);
    this.cutHead = new HeadAccumulator(maxHeadBytes);
    this.bodyEvent = { kind: "body", buffer: EMPTY, start: 0, end: 0 };
    this.phase = role === "request" ? "between" : "idle";
  }

  get isMidMessage(): boolean {
    return this.phase !== "idle" && this.phase !== "between" && this.phase !== "failed";
  }

  feed(buffer: Buffer, start: number, end: number): void {
    if (this.at === this.end) {
      this.buffer = buffer;
      this.at = start;
      this.end = end;
      return;
    }
    this.buffer = Buffer.concat([this.buffer.subarray(this.at, this.end), buffer.subarray(start, end)]);
    this.at = 0;
    this.end = this.buffer.length;
  }

  retain(): void {
    if (this.at === this.end) this.buffer = EMPTY;
    else this.buffer = Buffer.from(this.buffer.subarray(this.at, this.end));
    this.end -= this.at;
    this.at = 0;
  }

  finish(): void {
    this.isFinished = true;
  }

  nextMessage(context: ResponseContext = NO_CONTEXT): void {
    if (this.phase !== "idle") return;
    this.context = context;
    this.skipsEmptyLines = this.role === "request";
    this.emptyLines = 0;
    this.phase = "between";
  }

  startTunnel(): void {
    if (this.phase !== "idle") return;
    this.framing = "tunnel";
    this.remaining = Number.POSITIVE_INFINITY;
    this.phase = "data";
  }

  next(): ReaderEvent<H> {
    for (;;) {
      const event = this.step();
      if (event !== undefined) return event;
    }
  }

  /** One transition; undefined: go on with the next phase. */
  private step(): ReaderEvent<H> | undefined {
    switch (this.phase) {
      case "idle":
        if (this.role === "response" && this.at < this.end) return this.fail("unexpected-response");
        return this.isFinished && this.at === this.end ? CLOSED : PAUSED;
      case "between":
        return this.stepBetween();
      case "head":
        return this.stepHead();
      case "data":
        return this.stepData();
      case "chunk-line":
        return this.stepChunkLine();
      case "trailers":
        return this.stepTrailers();
      case "ending":
        this.phase = "idle";
        return END;
      case "failed":
        return this.error ?? CLOSED;
    }
  }

  private stepBetween(): ReaderEvent<H> | undefined {
    while (this.at < this.end) {
      const byte = this.buffer[this.at];
      // An odd count is a CR that waits for its LF.
      const isLineFeedDue = this.emptyLines % 2 === 1;
      if (isLineFeedDue ? byte !== LF : byte !== CR || !this.skipsEmptyLines) {
        if (isLineFeedDue) return this.fail("invalid-line-end");
        if (!this.mayContinue) return this.fail("data-after-close");
        this.scanner.begin(this.role);
        this.phase = "head";
        return undefined;
      }
      this.emptyLines += 1;
      if (this.emptyLines > MAX_EMPTY_LINES * 2) return this.fail("invalid-start-line");
      this.at += 1;
    }
    return this.isFinished ? CLOSED : NEED_DATA;
  }

  private stepHead(): ReaderEvent<H> | undefined {
    const origin = this.scanHead();
    if (origin < 0) return this.headOutcome(origin);
    const head = this.buildHead(this.scanner, this.cutHead.source(this.buffer), origin, this.policy, this.context);
    this.cutHead.clear();
    if (typeof head === "string") return this.fail(head);
    this.mayContinue = head.keepAlive;
    if (head.kind === "response" && head.status < 200 && head.status !== 101) {
      this.emptyLines = 0;
      this.skipsEmptyLines = true;
      this.phase = "between";
      return { kind: "informational", head };
    }
    this.beginBody(head.framing, head.contentLength);
    return { kind: "head", head };
  }

  private beginBody(framing: Framing, contentLength: number): void {
    this.framing = framing;
    switch (framing) {
      case "none":
        this.phase = "ending";
        return;
      case "length":
        this.remaining = contentLength;
        this.phase = "data";
        return;
      case "chunked":
        this.chunks.begin();
        this.phase = "chunk-line";
        return;
      case "until-close":
      case "tunnel":
        this.remaining = Number.POSITIVE_INFINITY;
        this.phase = "data";
    }
  }

  private stepData(): BodyEvent | SignalEvent | ErrorEvent | undefined {
    const available = this.end - this.at;
    if (available === 0) {
      if (!this.isFinished) return NEED_DATA;
      if (this.remaining !== Number.POSITIVE_INFINITY) return this.fail("cut-message");
      this.phase = "ending";
      return undefined;
    }
    const taken = available < this.remaining ? available : this.remaining;
    const event = this.bodyEvent;
    event.buffer = this.buffer;
    event.start = this.at;
    event.end = this.at + taken;
    this.at += taken;
    this.remaining -= taken;
    if (this.remaining === 0) {
      if (this.framing === "chunked") {
        this.chunks.afterData();
        this.phase = "chunk-line";
      } else this.phase = "ending";
    }
    return event;
  }

  private stepChunkLine(): SignalEvent | ErrorEvent | undefined {
    const next = this.chunks.scan(this.buffer, this.at, this.end);
    if (next === FAILED) return this.fail(this.chunks.errorCode);
    if (next === NEED_MORE) {
      this.at = this.end;
      return this.isFinished ? this.fail("cut-message") : NEED_DATA;
    }
    this.at = next;
    if (this.chunks.size === 0) {
      this.scanner.begin("none");
      this.phase = "trailers";
    } else {
      this.remaining = this.chunks.size;
      this.phase = "data";
    }
    return undefined;
  }

  private stepTrailers(): ReaderEvent<H> | undefined {
    const origin = this.scanHead();
    if (origin < 0) return this.headOutcome(origin);
    this.phase = "ending";
    if (this.scanner.fields.length === 0) {
      this.cutHead.clear();
      return undefined;
    }
    const text = textOf(this.scanner, this.cutHead.source(this.buffer), origin);
    this.cutHead.clear();
    return { kind: "trailers", headers: headersOf(this.scanner, text, this.policy) };
  }

  /** Scans on; returns where the head begins in cutHead.source(buffer), NEED_MORE or FAILED. */
  private scanHead(): number {
    const { scanner, cutHead } = this;
    if (!cutHead.isEmpty) {
      const used = cutHead.append(this.buffer, this.at, this.end);
      const known = cutHead.length - used;
      const next = scanner.scan(cutHead.buffer, 0, known, cutHead.length);
      this.at += next < 0 ? used : next - known;
      return next < 0 ? next : 0;
    }
    const origin = this.at;
    const next = scanner.scan(this.buffer, origin, origin, this.end);
    if (next === NEED_MORE) {
      cutHead.append(this.buffer, origin, this.end);
      this.at = this.end;
    }
    if (next < 0) return next;
    this.at = next;
    return origin;
  }

  private headOutcome(outcome: number): SignalEvent | ErrorEvent {
    if (outcome === FAILED) return this.fail(this.scanner.errorCode);
    return this.isFinished ? this.fail("cut-message") : NEED_DATA;
  }

  private fail(code: CodecErrorCode): ErrorEvent {
    this.phase = "failed";
    this.error = { kind: "error", error: codecError(code) };
    this.cutHead.clear();
    return this.error;
  }
}
