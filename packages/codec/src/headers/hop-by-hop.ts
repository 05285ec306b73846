/** Which fields belong to one connection and never pass a proxy (RFC 9110 §7.6.1). Pure. */
import type { HeaderBlock } from "./header-block.ts";
import { createNameList } from "./header-names.ts";

const HOP_BY_HOP = createNameList(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]);
/** Fields that a Connection header must not be able to strip: who asks would change under us. A request that tries is refused. */
const NEVER_NOMINATED = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"] as const;
/** Nominating these changes nothing here: the framing is the reader's, not a field. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set(["content-length", ""]);

/**
 * Removes a request's own fields and those that Connection names; `te: trailers` stays: gRPC needs it end to end.
 * False: it names a field that nobody may strip, and must be refused.
 */
export function removeHopByHop(headers: HeaderBlock): boolean {
  const connection = headers.combined("connection");
  const te = headers.combined("te");
  if (connection !== undefined) {
    // hot: what nearly every Connection field says, and it names no field.
    const isPlain = connection === "keep-alive" || connection === "close";
    if (!isPlain && !removeNominated(headers, connection)) return false;
  }
  removeConnectionFields(headers);
  if (te !== undefined) {
    headers.remove("te");
    if (hasToken(te, "trailers")) headers.add("te", "trailers");
  }
  return true;
}

/** The fixed set only: what a response's Connection names is left, as in Envoy. */
export function removeConnectionFields(headers: HeaderBlock): void {
  headers.removeAll(HOP_BY_HOP);
}

/** False: a field is named that nobody may strip. */
function removeNominated(headers: HeaderBlock, connection: string): boolean {
  for (const nominated of connection.toLowerCase().split(",")) {
    const name = nominated.trim();
    if (name.startsWith(":") || NEVER_NOMINATED.some((kept) => kept === name)) return false;
    if (!WITHOUT_EFFECT.has(name)) headers.remove(name);
  }
  return true;
}

/** True when the comma-separated list holds the token (given in lower case), in any case. */
export function hasToken(list: string | undefined, token: string): boolean {
  if (list === undefined) return false;
  const lower = list.toLowerCase();
  if (lower === token) return true;
  if (!lower.includes(token)) return false;
  return lower.split(",").some((part) => part.trim() === token);
}
