/**
 * One header field as HPACK shares it: decoded once, kept in the decoder's table, handed to every head that refers to it, and recognised by
 * identity when a head is encoded again. What a name means is found once per entry, not once per request.
 */
import { nameBit } from "../headers/header-names.ts";
import { STATIC_FIELDS } from "./static-table.ts";

/** What a field name means to HTTP/2 (RFC 9113 §8.2, §8.3). Numbers: switched on for every field of every head. */
export const FieldRole = {
  plain: 0,
  method: 1,
  scheme: 2,
  authority: 3,
  path: 4,
  status: 5,
  protocol: 6,
  /** Not a lower-case token, or a pseudo header that nobody defined. */
  invalidName: 7,
  /** Of one HTTP/1 connection: must not be here. */
  connection: 8,
  te: 9,
  contentLength: 10,
  cookie: 11,
  host: 12,
  expect: 13,
} as const;

const ROLES: ReadonlyMap<string, number> = new Map<string, number>([
  [":method", FieldRole.method],
  [":scheme", FieldRole.scheme],
  [":authority", FieldRole.authority],
  [":path", FieldRole.path],
  [":status", FieldRole.status],
  [":protocol", FieldRole.protocol],
  ["connection", FieldRole.connection],
  ["keep-alive", FieldRole.connection],
  ["proxy-connection", FieldRole.connection],
  ["transfer-encoding", FieldRole.connection],
  ["upgrade", FieldRole.connection],
  ["te", FieldRole.te],
  ["content-length", FieldRole.contentLength],
  ["cookie", FieldRole.cookie],
  ["host", FieldRole.host],
  ["expect", FieldRole.expect],
]);

/** What the table reckons a field with beyond its bytes (RFC 7541 §4.1). */
const OVERHEAD = 32;

export class HeaderEntry {
  readonly name: string;
  readonly value: string;
  readonly size: number;
  readonly role: number;
  /** nameBit() of the name. */
  readonly bit: number;
  /** Received as "never indexed", and so sent on (RFC 7541 §6.2.3). */
  readonly isNeverIndexed: boolean;
  /** The value holds only what a field may (RFC 9113 §8.2.1). Of the name see role. */
  readonly isValueValid: boolean;
  /** 1 to 61 for an entry of the static table, else 0. */
  readonly staticIndex: number;
  /** hot: the encoder that last sent this entry, and under which number: see encoder.ts. */
  encoderId = 0;
  encoderSequence = 0;

  constructor(
    name: string,
    value: string,
    role: number,
    isNeverIndexed: boolean,
    isValueValid: boolean,
    staticIndex: number,
  ) {
    this.name = name;
    this.value = value;
    this.size = name.length + value.length + OVERHEAD;
    this.role = role;
    this.bit = nameBit(name);
    this.isNeverIndexed = isNeverIndexed;
    this.isValueValid = isValueValid;
    this.staticIndex = staticIndex;
  }
}

/** A field of our own making; name and value were checked by the caller. */
export function createEntry(name: string, value: string): HeaderEntry {
  return new HeaderEntry(name, value, ROLES.get(name) ?? FieldRole.plain, false, true, 0);
}

/** A literal field off the wire. `role` is given when the name came from a table. */
export function receivedEntry(
  name: string,
  role: number | undefined,
  value: string,
  isNeverIndexed: boolean,
): HeaderEntry {
  return new HeaderEntry(name, value, role ?? roleOf(name), isNeverIndexed, isFieldValue(value), 0);
}

/** Of a name that is known to be a token. */
export function fieldRole(name: string): number {
  return ROLES.get(name) ?? FieldRole.plain;
}

const VALID_NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const INVALID_CHARACTER = /[^\t\x20-\x7e\x80-\xff]/;

function isFieldValue(value: string): boolean {
  const first = value.charCodeAt(0);
  const last = value.charCodeAt(value.length - 1);
  if (first <= 0x20 || last <= 0x20) return false;
  return !INVALID_CHARACTER.test(value);
}

function roleOf(name: string): number {
  return ROLES.get(name) ?? (VALID_NAME.test(name) ? FieldRole.plain : FieldRole.invalidName);
}

/** By index; the first is no field. */
export const STATIC_ENTRIES: readonly HeaderEntry[] = [
  new HeaderEntry("", "", FieldRole.invalidName, false, false, 0),
  ...STATIC_FIELDS.map(([name, value], i) => new HeaderEntry(name, value, roleOf(name), false, true, i + 1)),
];
