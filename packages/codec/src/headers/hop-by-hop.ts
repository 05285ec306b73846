/** Which fields belong to one connection and never pass a proxy (RFC 9110 §7.6.1). Pure. */
import type { HeaderBlock } from "./header-block.ts";
import { createNameList } from "./header-names.ts";

const HOP_BY_HOP = createNameList([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
  "te",
]);
/** Fields that a Connection header must not be able to strip: framing and routing would change under us. */
const NEVER_NOMINATED: ReadonlySet<string> = new Set(["host", "content-length", "authorization", "cookie", ""]);

/** Removes the connection's own fields and those that Connection names. `te: trailers` stays: gRPC needs it end to end. */
export function removeHopByHop(headers: HeaderBlock): void {
  const connection = headers.combined("connection");
  const te = headers.combined("te");
  if (connection !== undefined) {
    // hot: what nearly every Connection field says, and it names no field.
    if (connection !== "keep-alive" && connection !== "close") removeNominated(headers, connection);
  }
  headers.removeAll(HOP_BY_HOP);
  if (hasToken(te, "trailers")) headers.add("te", "trailers");
}

function removeNominated(headers: HeaderBlock, connection: string): void {
  for (const nominated of connection.toLowerCase().split(",")) {
    const name = nominated.trim();
    if (!NEVER_NOMINATED.has(name) && !name.startsWith("x-forwarded-") && !name.startsWith(":")) headers.remove(name);
  }
}

/** True when the comma-separated list holds the token (given in lower case), in any case. */
export function hasToken(list: string | undefined, token: string): boolean {
  if (list === undefined) return false;
  const lower = list.toLowerCase();
  if (lower === token) return true;
  if (!lower.includes(token)) return false;
  return lower.split(",").some((part) => part.trim() === token);
}
