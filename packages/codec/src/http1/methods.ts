/** The methods we accept: IANA's registry in the part that Envoy's HTTP/1 parser knows. Anything else is 400, as in Envoy. */
import { latin1 } from "./latin1.ts";

const METHODS: readonly string[] =
  `GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH QUERY COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND
REBIND UNBIND ACL REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH MSEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PURGE MKCALENDAR LINK UNLINK SOURCE`.split(
    /\s+/,
  );

const KNOWN: ReadonlyMap<string, string> = new Map(METHODS.map((method) => [method, method]));
const PREFIXES: ReadonlySet<string> = new Set(
  METHODS.flatMap((method) => Array.from(method, (_, end) => method.slice(0, end + 1))),
);

/** The method of bytes [start, end), or undefined when it is not known. */
export function methodAt(buffer: Buffer, start: number, end: number): string | undefined {
  if (end - start === 3 && buffer[start] === 0x47 && buffer[start + 1] === 0x45 && buffer[start + 2] === 0x54)
    return "GET";
  return end - start > 12 ? undefined : KNOWN.get(latin1(buffer, start, end));
}

/** False as soon as no method can begin like this, so that junk is refused without waiting for a blank. */
export function isMethodPrefix(buffer: Buffer, start: number, end: number): boolean {
  return end - start <= 12 && PREFIXES.has(latin1(buffer, start, end));
}
