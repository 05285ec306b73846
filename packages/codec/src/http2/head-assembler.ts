/**
 * Takes the fields of one block as HPACK decodes them, sorts pseudo headers from the others and judges each (RFC 9113 §8.2, §8.3).
 * Strict: lower-case names, no field of an HTTP/1 connection, `te: trailers` only, one content-length, pseudo headers first and once.
 * Fields beyond the limits are counted and dropped, so a block costs no more memory than the limit however it was compressed.
 */
import { createEntry, FieldRole, type HeaderEntry } from "../hpack/header-entry.ts";
import type { Http2Limits } from "./options.ts";

export type HeadProblem =
  | "invalid-field"
  | "invalid-pseudo"
  | "missing-pseudo"
  | "connection-field"
  | "invalid-content-length"
  | "invalid-authority"
  | "invalid-path"
  | "unexpected-block"
  | "headers-too-large"
  | "too-many-headers";

export class HeadAssembler {
  method = "";
  scheme = "";
  authority = "";
  path = "";
  status = "";
  protocol: string | undefined;
  /** Bit set of pseudo headers seen: 1 << role. */
  pseudo = 0;
  /** Ordinary fields, for a header block that will own them. */
  entries: HeaderEntry[] = [];
  host: string | undefined;
  contentLength = -1;
  expectsContinue = false;
  problem: HeadProblem | undefined;
  private readonly limits: Http2Limits;
  private bytes = 0;
  private count = 0;
  private cookieAt = -1;
  private cookies: string[] | undefined;

  constructor(limits: Http2Limits) {
    this.limits = limits;
  }

  begin(): void {
    this.pseudo = 0;
    this.method = "";
    this.scheme = "";
    this.authority = "";
    this.path = "";
    this.status = "";
    this.protocol = undefined;
    this.entries = [];
    this.host = undefined;
    this.contentLength = -1;
    this.expectsContinue = false;
    this.problem = undefined;
    this.bytes = 0;
    this.count = 0;
    this.cookieAt = -1;
    this.cookies = undefined;
  }

  hasPseudo(role: number): boolean {
    return (this.pseudo & (1 << role)) !== 0;
  }

  field(entry: HeaderEntry): void {
    this.bytes += entry.size;
    this.count += 1;
    if (this.bytes > this.limits.maxHeaderListBytes) this.fail("headers-too-large");
    else if (this.count > this.limits.maxHeaders) this.fail("too-many-headers");
    else if (!entry.isValueValid) this.fail("invalid-field");
    if (this.problem !== undefined) return;
    const { role } = entry;
    if (role === FieldRole.plain) this.entries.push(entry);
    else if (role <= FieldRole.protocol) this.takePseudo(role, entry.value);
    else this.takeSpecial(role, entry);
  }

  /** After the last field: cookie crumbs become one field again (RFC 9113 §8.2.3). */
  end(): void {
    if (this.cookies === undefined || this.cookies.length < 2) return;
    const joined = createEntry("cookie", this.cookies.join("; "));
    this.entries = this.entries.filter((entry, i) => i === this.cookieAt || entry.role !== FieldRole.cookie);
    this.entries[this.cookieAt] = joined;
  }

  fail(problem: HeadProblem): void {
    this.problem ??= problem;
  }

  private takePseudo(role: number, value: string): void {
    if (this.entries.length > 0 || this.hasPseudo(role)) {
      this.fail("invalid-pseudo");
      return;
    }
    this.pseudo |= 1 << role;
    switch (role) {
      case FieldRole.method:
        this.method = value;
        return;
      case FieldRole.scheme:
        this.scheme = value;
        return;
      case FieldRole.authority:
        this.authority = value;
        return;
      case FieldRole.path:
        this.path = value;
        return;
      case FieldRole.status:
        this.status = value;
        return;
      default:
        this.protocol = value;
    }
  }

  private takeSpecial(role: number, entry: HeaderEntry): void {
    switch (role) {
      case FieldRole.invalidName:
        this.fail("invalid-field");
        return;
      case FieldRole.connection:
        this.fail("connection-field");
        return;
      case FieldRole.te:
        if (entry.value.toLowerCase() !== "trailers") {
          this.fail("connection-field");
          return;
        }
        break;
      case FieldRole.contentLength:
        if (this.contentLength >= 0) {
          this.fail("invalid-content-length");
          return;
        }
        this.contentLength = parseLength(entry.value);
        if (this.contentLength < 0) {
          this.fail("invalid-content-length");
          return;
        }
        break;
      case FieldRole.host:
        if (this.host !== undefined) {
          this.fail("invalid-authority");
          return;
        }
        this.host = entry.value;
        break;
      case FieldRole.expect:
        this.expectsContinue = entry.value.toLowerCase() === "100-continue";
        break;
      case FieldRole.cookie:
        if (this.cookies === undefined) {
          this.cookieAt = this.entries.length;
          this.cookies = [entry.value];
        } else this.cookies.push(entry.value);
        break;
    }
    this.entries.push(entry);
  }
}

function parseLength(text: string): number {
  if (!/^[0-9]{1,16}$/.test(text)) return -1;
  const length = Number(text);
  return length <= Number.MAX_SAFE_INTEGER ? length : -1;
}
