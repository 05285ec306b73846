/** The target of a request line (RFC 9112 §3.2). Pure. */
import { latin1 } from "./latin1.ts";

const SLASH = 0x2f;
const AUTHORITY = /^(?:[A-Za-z0-9\-._~%!$&'()*+,;=:]*@)?[A-Za-z0-9\-._~%!$&'()*+,;=:[\]]+$/;
const ABSOLUTE = /^[A-Za-z]+:\/\/([^/?]*)(?:[/?].*)?$/;

/** Whether bytes [start, end) are one of the four forms of a target (RFC 9112 §3.2); the common one, a path, is decided by its first byte. */
export function isTarget(buffer: Buffer, start: number, end: number, method: string): boolean {
  if (method === "CONNECT") return AUTHORITY.test(latin1(buffer, start, end));
  if (buffer[start] === SLASH) return true;
  const target = latin1(buffer, start, end);
  if (target === "*") return true;
  const authority = ABSOLUTE.exec(target)?.[1];
  return authority !== undefined && AUTHORITY.test(authority);
}
