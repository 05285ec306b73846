/**
 * Character classes of HTTP/1 as lookup tables over bytes (RFC 9110 §5.6.2 token, RFC 9112 §3 request target, RFC 9110 §5.5 field value).
 * Tables because the head scanner asks once for every byte received.
 */
export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SPACE = 0x20;
export const COLON = 0x3a;
export const DEL = 0x7f;

const TOKEN_MARKS = "!#$%&'*+-.^_`|~";

/** For a token byte its lower-case form, else 0. */
export const TOKEN_LOWER: Uint8Array = table((byte) => {
  const char = String.fromCharCode(byte);
  return /[0-9A-Za-z]/.test(char) || TOKEN_MARKS.includes(char) ? char.toLowerCase().charCodeAt(0) : 0;
});

/** 1 for what a field value may hold: HTAB, SP, VCHAR, obs-text. Never NUL, CR, LF, DEL or another control. */
export const IS_VALUE: Uint8Array = table((byte) => (byte === TAB || (byte >= SPACE && byte !== DEL) ? 1 : 0));

/** 1 for what a request target may hold: visible ASCII. */
export const IS_TARGET: Uint8Array = table((byte) => (byte > SPACE && byte < DEL ? 1 : 0));

/** The value of a hex digit, else 255. */
export const HEX_VALUE: Uint8Array = table((byte) => {
  const value = Number.parseInt(String.fromCharCode(byte), 16);
  return Number.isNaN(value) ? 255 : value;
});

function table(of: (byte: number) => number): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => of(byte));
}
