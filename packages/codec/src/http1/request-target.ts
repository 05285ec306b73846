/** The target of a request line (RFC 9112 §3.2). Pure. */
import { latin1 } from "./latin1.ts";

const SLASH = 0x2f;
/** Of CONNECT: always with a port (RFC 9110 §9.3.6). */
const AUTHORITY = /^[A-Za-z0-9\-._~%!$&'()*+,;=:[\]]+:\d{1,5}$/;
/** Of an absolute target: http and https only, and a host without escapes, so that nobody reads another name from it. */
const ABSOLUTE = /^https?:\/\/(?:[A-Za-z0-9\-._~%!$&'()*+,;=:]*@)?([A-Za-z0-9\-._:[\]]+)(?:[/?].*)?$/i;

/** Whether bytes [start, end) are one of the four forms of a target; the common one, a path, is decided by its first byte. */
export function isTarget(buffer: Buffer, start: number, end: number, method: string): boolean {
  if (method === "CONNECT") return AUTHORITY.test(latin1(buffer, start, end));
  if (buffer[start] === SLASH) return true;
  const target = latin1(buffer, start, end);
  return target === "*" ? method === "OPTIONS" || method === "M-SEARCH" : ABSOLUTE.test(target);
}
