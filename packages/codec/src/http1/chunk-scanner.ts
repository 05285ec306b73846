/**
 * Reads the lines between the chunks of a chunked body (RFC 9112 §7.1), byte by byte and resumable.
 *
 *   size: 1*HEXDIG -> [";" name ["=" token | quoted-string]]* CR LF -> data of that size -> CR LF -> size … ; size 0 -> trailers
 *
 * Strict: no blank anywhere in the line, no bare CR or LF, extensions are checked and then forgotten.
 */
import { CR, HEX_VALUE, IS_VALUE, LF, TOKEN_LOWER } from "./chars.ts";
import type { CodecErrorCode } from "./events.ts";

export const NEED_MORE = -1;
export const FAILED = -2;

const FIRST_DIGIT = 0;
const DIGITS = 1;
const EXTENSION_NAME = 2;
const EXTENSION_NAME_MORE = 3;
const EXTENSION_VALUE = 4;
const EXTENSION_TOKEN = 5;
const QUOTED = 6;
const QUOTED_PAIR = 7;
const AFTER_QUOTED = 8;
const SIZE_LF = 9;
const DATA_CR = 10;
const DATA_LF = 11;

const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MAX_LINE_BYTES = 16 * 1024;
/** Beyond this, size * 16 would leave the safe integers. */
const MAX_SIZE = 2 ** 48;

export class ChunkScanner {
  /** The size of the chunk whose line was read last. */
  size = 0;
  errorCode: CodecErrorCode = "invalid-chunk-size";
  private state = FIRST_DIGIT;
  private lineBytes = 0;

  /** Before the first chunk. */
  begin(): void {
    this.state = FIRST_DIGIT;
    this.size = 0;
    this.lineBytes = 0;
  }

  /** After the data of a chunk: its CR LF and the next size line are to come. */
  afterData(): void {
    this.state = DATA_CR;
    this.size = 0;
    this.lineBytes = 0;
  }

  /** Returns the position after the size line, NEED_MORE or FAILED. */
  scan(buffer: Buffer, from: number, end: number): number {
    for (let at = from; at < end; at += 1) {
      const byte = buffer[at] ?? 0;
      this.lineBytes += 1;
      if (this.lineBytes > MAX_LINE_BYTES) return this.fail("invalid-chunk-extension");
      switch (this.state) {
        case FIRST_DIGIT:
        case DIGITS: {
          const digit = HEX_VALUE[byte] ?? 255;
          if (digit < 16) {
            this.size = this.size * 16 + digit;
            if (this.size > MAX_SIZE) return this.fail("invalid-chunk-size");
            this.state = DIGITS;
          } else if (this.state === FIRST_DIGIT) return this.fail("invalid-chunk-size");
          else if (!this.endPart(byte)) return this.fail("invalid-chunk-size");
          break;
        }
        case EXTENSION_NAME:
          if (TOKEN_LOWER[byte] === 0) return this.fail("invalid-chunk-extension");
          this.state = EXTENSION_NAME_MORE;
          break;
        case EXTENSION_NAME_MORE:
          if (TOKEN_LOWER[byte] !== 0) break;
          if (byte === EQUALS) this.state = EXTENSION_VALUE;
          else if (!this.endPart(byte)) return this.fail("invalid-chunk-extension");
          break;
        case EXTENSION_VALUE:
          if (byte === QUOTE) this.state = QUOTED;
          else if (TOKEN_LOWER[byte] !== 0) this.state = EXTENSION_TOKEN;
          else return this.fail("invalid-chunk-extension");
          break;
        case EXTENSION_TOKEN:
          if (TOKEN_LOWER[byte] === 0 && !this.endPart(byte)) return this.fail("invalid-chunk-extension");
          break;
        case QUOTED:
          if (byte === QUOTE) this.state = AFTER_QUOTED;
          else if (byte === BACKSLASH) this.state = QUOTED_PAIR;
          else if (IS_VALUE[byte] === 0) return this.fail("invalid-chunk-extension");
          break;
        case QUOTED_PAIR:
          if (IS_VALUE[byte] === 0) return this.fail("invalid-chunk-extension");
          this.state = QUOTED;
          break;
        case AFTER_QUOTED:
          if (!this.endPart(byte)) return this.fail("invalid-chunk-extension");
          break;
        case SIZE_LF:
          if (byte !== LF) return this.fail("invalid-line-end");
          return at + 1;
        case DATA_CR:
          if (byte !== CR) return this.fail("invalid-chunk-end");
          this.state = DATA_LF;
          break;
        default:
          if (byte !== LF) return this.fail("invalid-chunk-end");
          this.state = FIRST_DIGIT;
      }
    }
    return NEED_MORE;
  }

  /** What may follow a size, a name or a value: the next extension or the end of the line. */
  private endPart(byte: number): boolean {
    if (byte === SEMICOLON) this.state = EXTENSION_NAME;
    else if (byte === CR) this.state = SIZE_LF;
    else return false;
    return true;
  }

  private fail(code: CodecErrorCode): typeof FAILED {
    this.errorCode = code;
    return FAILED;
  }
}
