/**
 * Reads a start line and header lines, byte by byte, from a buffer that may end anywhere: scan() is called again with more bytes and goes on
 * where it stopped. It records offsets only; nothing is copied and no string is made.
 *
 *   requestLine: method SP target SP HTTP/1.x CR LF          statusLine: HTTP/1.x SP 3DIGIT [SP reason] CR LF
 *   then lineStart: CR LF -> done | token+ ":" OWS value CR LF -> lineStart
 *
 * Strict (RFC 9112 §2.2, §5): no bare CR or LF, no blank before the colon, no folding, no control characters, known methods, HTTP/1.0 and 1.1.
 * Invariant: the verdict depends on the bytes alone, never on how they were split: only `maxBytes` bytes are ever looked at.
 * hot: 0.6 us a head of 5 headers; this loop is most of what parsing costs.
 */
import { COLON, CR, IS_TARGET, IS_VALUE, LF, SPACE, TAB, TOKEN_LOWER } from "./chars.ts";
import type { CodecErrorCode, ReaderLimits } from "./events.ts";
import { FramingFields } from "./framing-fields.ts";
import { endOfValue, isBlank, isVersionPrefix, trimEnd, VERSION_PREFIX } from "./head-bytes.ts";
import { isMethodPrefix, methodAt } from "./methods.ts";
import { isTarget } from "./request-target.ts";

export const NEED_MORE = -1;
export const FAILED = -2;

const METHOD = 0;
const TARGET = 1;
const VERSION = 2;
const VERSION_DIGIT = 3;
const REQUEST_LINE_CR = 4;
const START_LINE_LF = 5;
const STATUS_SPACE = 6;
const STATUS = 7;
const STATUS_END = 8;
const REASON = 9;
const LINE_START = 10;
const NAME = 11;
const BEFORE_VALUE = 12;
const VALUE = 13;
const VALUE_LF = 14;
const LAST_LF = 15;

/** Where VERSION_PREFIX has its major version. */
const MAJOR_AT = 5;
const ZERO = 0x30;

export type StartLine = "request" | "response" | "none";

export class HeadScanner {
  /** Offsets from the head's first byte: name start, name end, value start, value end, per field. */
  fields: number[] = [];
  /** Where the empty line begins. */
  fieldsEnd = 0;
  method = "";
  targetStart = 0;
  targetEnd = 0;
  minor: 0 | 1 = 1;
  status = 0;
  reasonStart = 0;
  reasonEnd = 0;
  readonly framing = new FramingFields();
  errorCode: CodecErrorCode = "invalid-start-line";

  private readonly limits: ReaderLimits;
  private readonly preserveCase: boolean;
  private startLine: StartLine = "none";
  private state = LINE_START;
  private isDone = false;
  private digits = 0;
  /** A major version that is not ours: refused when it proves to be a version. */
  private isOtherVersion = false;
  private nameStart = 0;
  private nameEnd = 0;
  private valueStart = 0;
  private valueEnd = 0;

  constructor(limits: ReaderLimits, preserveCase: boolean) {
    this.limits = limits;
    this.preserveCase = preserveCase;
  }

  /** Starts a new head ("none": only fields, as in trailers). */
  begin(startLine: StartLine): void {
    this.startLine = startLine;
    this.state = startLine === "request" ? METHOD : startLine === "response" ? VERSION : LINE_START;
    this.fields = [];
    this.digits = 0;
    this.status = 0;
    this.isOtherVersion = false;
    this.framing.clear();
  }

  /**
   * Goes on at `from`, with the head's first byte at `origin`. Returns the position after the empty line, NEED_MORE (every byte up to
   * `end` was used) or FAILED (see errorCode).
   */
  scan(buffer: Buffer, origin: number, from: number, end: number): number {
    const limit = origin + this.limits.maxHeadBytes;
    const stop = end < limit ? end : limit;
    let at = from;
    while (at < stop) {
      if (this.state < LINE_START) {
        const next = this.scanStartLine(buffer, origin, at, stop);
        if (next === FAILED) return FAILED;
        at = next;
      } else {
        const next = this.scanFields(buffer, origin, at, stop);
        if (next === FAILED || this.isDone) return next;
        at = next;
      }
    }
    return end >= limit ? this.fail("head-too-large") : NEED_MORE;
  }

  private fail(code: CodecErrorCode): typeof FAILED {
    this.errorCode = code;
    return FAILED;
  }

  /** Until the start line is complete or the bytes are used up; returns the position reached or FAILED. */
  private scanStartLine(buffer: Buffer, origin: number, from: number, stop: number): number {
    let at = from;
    while (at < stop) {
      const byte = buffer[at] ?? 0;
      switch (this.state) {
        case METHOD: {
          while (at < stop && buffer[at] !== SPACE) at += 1;
          if (at === stop) return isMethodPrefix(buffer, origin, stop) ? at : this.fail("invalid-method");
          const method = methodAt(buffer, origin, at);
          if (method === undefined) return this.fail("invalid-method");
          this.method = method;
          this.targetStart = at + 1 - origin;
          this.state = TARGET;
          break;
        }
        case TARGET:
          while (at < stop && IS_TARGET[buffer[at] ?? 0] === 1) at += 1;
          if (at === stop) return at;
          this.targetEnd = at - origin;
          if (buffer[at] !== SPACE || this.targetEnd === this.targetStart) return this.fail("invalid-target");
          if (!isTarget(buffer, origin + this.targetStart, at, this.method)) return this.fail("invalid-target");
          this.digits = 0;
          this.state = VERSION;
          break;
        case VERSION:
          if (this.digits === 0 && at + VERSION_PREFIX.length < stop && isVersionPrefix(buffer, at)) {
            at += VERSION_PREFIX.length - 1;
            this.state = VERSION_DIGIT;
            break;
          }
          if (byte !== VERSION_PREFIX[this.digits]) {
            if (this.digits !== MAJOR_AT || byte < ZERO || byte > ZERO + 9) return this.fail("invalid-version");
            this.isOtherVersion = true;
          }
          this.digits += 1;
          if (this.digits === VERSION_PREFIX.length) this.state = VERSION_DIGIT;
          break;
        case VERSION_DIGIT:
          if (byte < ZERO || byte > ZERO + 9) return this.fail("invalid-version");
          if (this.isOtherVersion || byte > ZERO + 1) return this.fail("unsupported-version");
          this.minor = byte === ZERO ? 0 : 1;
          this.digits = 0;
          this.state = this.startLine === "request" ? REQUEST_LINE_CR : STATUS_SPACE;
          break;
        case REQUEST_LINE_CR:
          if (byte !== CR) return this.fail(byte === LF ? "invalid-line-end" : "invalid-start-line");
          this.state = START_LINE_LF;
          break;
        case START_LINE_LF:
          if (byte !== LF) return this.fail("invalid-line-end");
          this.state = LINE_START;
          return at + 1;
        case STATUS_SPACE:
          if (byte !== SPACE) return this.fail("invalid-start-line");
          this.state = STATUS;
          break;
        case STATUS:
          if (byte < ZERO || byte > ZERO + 9) return this.fail("invalid-status");
          this.status = this.status * 10 + byte - ZERO;
          this.digits += 1;
          if (this.digits === 3) {
            if (this.status < 100) return this.fail("invalid-status");
            this.state = STATUS_END;
          }
          break;
        case STATUS_END:
          this.reasonStart = this.reasonEnd = at + 1 - origin;
          if (byte === SPACE) this.state = REASON;
          else if (byte === CR) this.state = START_LINE_LF;
          else return this.fail(byte === LF ? "invalid-line-end" : "invalid-status");
          break;
        default:
          while (at < stop && IS_VALUE[buffer[at] ?? 0] === 1) at += 1;
          if (at === stop) return at;
          if (buffer[at] !== CR) return this.fail(buffer[at] === LF ? "invalid-line-end" : "invalid-start-line");
          this.reasonEnd = at - origin;
          this.state = START_LINE_LF;
      }
      at += 1;
    }
    return at;
  }

  /** Until the empty line is complete (isDone) or the bytes are used up; returns the position reached or FAILED. */
  private scanFields(buffer: Buffer, origin: number, from: number, stop: number): number {
    const preserveCase = this.preserveCase;
    let at = from;
    let state = this.state;
    this.isDone = false;
    while (at < stop) {
      if (state === LINE_START) {
        const next = this.scanPlainLine(buffer, origin, at, stop);
        if (next === FAILED) return FAILED;
        if (next !== at) {
          at = next;
          continue;
        }
      }
      let byte = buffer[at] ?? 0;
      switch (state) {
        case LINE_START:
          if (byte === CR) {
            this.fieldsEnd = at - origin;
            state = LAST_LF;
            at += 1;
            break;
          }
          if (byte === SPACE || byte === TAB)
            return this.fail(this.fields.length > 0 ? "folded-header" : "invalid-header-name");
          this.nameStart = at - origin;
          state = NAME;
          break;
        case NAME: {
          let lower = TOKEN_LOWER[byte] ?? 0;
          while (lower !== 0) {
            if (lower !== byte && !preserveCase) buffer[at] = lower;
            at += 1;
            if (at === stop) break;
            byte = buffer[at] ?? 0;
            lower = TOKEN_LOWER[byte] ?? 0;
          }
          if (at === stop) break;
          if (byte !== COLON || at - origin === this.nameStart) return this.fail("invalid-header-name");
          this.nameEnd = at - origin;
          at += 1;
          state = BEFORE_VALUE;
          break;
        }
        case BEFORE_VALUE:
          if (byte === SPACE || byte === TAB) {
            at += 1;
            break;
          }
          this.valueStart = this.valueEnd = at - origin;
          state = VALUE;
          break;
        case VALUE:
          at = endOfValue(buffer, at, stop);
          if (at === stop) break;
          byte = buffer[at] ?? 0;
          if (byte !== CR) return this.fail(byte === LF ? "invalid-line-end" : "invalid-header-value");
          this.valueEnd = trimEnd(buffer, origin + this.valueStart, at) - origin;
          at += 1;
          state = VALUE_LF;
          break;
        case VALUE_LF: {
          if (byte !== LF) return this.fail("invalid-line-end");
          const code = this.endField(buffer, origin);
          if (code !== undefined) return this.fail(code);
          at += 1;
          state = LINE_START;
          break;
        }
        default:
          if (byte !== LF) return this.fail("invalid-line-end");
          this.isDone = true;
          return at + 1;
      }
    }
    this.state = state;
    return at;
  }

  /**
   * hot: a whole line of token, colon, one blank, value, CR LF in one go, which is what nearly all are; the position after it.
   * `from` when the line is not all there or not like that: then the states above decide, so nothing is accepted here that they would refuse.
   */
  private scanPlainLine(buffer: Buffer, origin: number, from: number, stop: number): number {
    const preserveCase = this.preserveCase;
    let at = from;
    while (at < stop) {
      const byte = buffer[at] ?? 0;
      const lower = TOKEN_LOWER[byte] ?? 0;
      if (lower === 0) break;
      if (lower !== byte && !preserveCase) buffer[at] = lower;
      at += 1;
    }
    const value = at + 2;
    if (at === from || value >= stop || buffer[at] !== COLON || buffer[at + 1] !== SPACE) return from;
    const end = endOfValue(buffer, value, stop);
    if (end + 1 >= stop || buffer[end] !== CR || buffer[end + 1] !== LF) return from;
    if (end === value || isBlank(buffer[value]) || isBlank(buffer[end - 1])) return from;
    this.nameStart = from - origin;
    this.nameEnd = at - origin;
    this.valueStart = value - origin;
    this.valueEnd = end - origin;
    const code = this.endField(buffer, origin);
    return code === undefined ? end + 2 : this.fail(code);
  }

  private endField(buffer: Buffer, origin: number): CodecErrorCode | undefined {
    const fields = this.fields;
    fields.push(this.nameStart, this.nameEnd, this.valueStart, this.valueEnd);
    if (fields.length > this.limits.maxHeaders * 4) return "too-many-headers";
    if (this.startLine === "none") {
      const nameLength = this.nameEnd - this.nameStart;
      const isForbidden = FramingFields.isForbiddenInTrailers(buffer, origin + this.nameStart, nameLength);
      return isForbidden ? "length-and-transfer-encoding" : undefined;
    }
    return this.framing.read(
      buffer,
      origin + this.nameStart,
      this.nameEnd - this.nameStart,
      origin + this.valueStart,
      origin + this.valueEnd,
    );
  }
}
