/**
 * The one place that makes connection resets real. TCP: RST. A unix socket has no RST; there a peer sees ECONNRESET only when we close
 * with bytes unread in our receive queue, and Node has usually read them. So dialers of the pod network send a token in a TLV of the PROXY
 * header; whoever wants to reset makes the file `$RUN/resets/<token>` before it closes, and the dialer's socket, at the end of the stream,
 * turns that, or the EPIPE of a write, into ECONNRESET (as from TCP). A dialer without our code still sees an end of stream.
 * Callers: proxy (STRICT plaintext, upstream reset), kube-proxy (relay), the preload (dialer side).
 */
import { randomBytes } from "node:crypto";
import { mkdirSync, unlinkSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import type { ProxyHeader, Tlv } from "./proxy-protocol.ts";

/** In the range that the PROXY protocol leaves to applications (PP2_TYPE_MIN_CUSTOM). */
export const PP2_TYPE_RESET_TOKEN = 0xe0;
const TOKEN = /^[0-9a-f]{24}$/;

/**
 * Ends the connection so that the peer sees ECONNRESET. `accepted` is what is known of an accepted unix connection: its PROXY header
 * and the run directory.
 */
export function resetSocket(
  socket: Socket,
  accepted?: { readonly runDir: string; readonly header: ProxyHeader | undefined },
): void {
  if (socket.destroyed) return;
  const token = accepted?.header === undefined ? undefined : tokenOf(accepted.header);
  if (accepted !== undefined && token !== undefined) leaveMark(accepted.runDir, token);
  if (!resetTcp(socket)) socket.destroy();
}

/** A fresh token as the TLV to put into a PROXY header. */
export function resetTokenTlv(): { readonly token: string; readonly tlv: Tlv } {
  const token = randomBytes(12).toString("hex");
  return { token, tlv: { type: PP2_TYPE_RESET_TOKEN, value: Buffer.from(token, "latin1") } };
}

/** The token of a received header; anything that is not one of ours is ignored (it becomes a file name). */
export function tokenOf(header: ProxyHeader): string | undefined {
  const tlv = header.tlvs.find(({ type }) => type === PP2_TYPE_RESET_TOKEN);
  if (tlv === undefined) return undefined;
  const token = Buffer.from(tlv.value).toString("latin1");
  return TOKEN.test(token) ? token : undefined;
}

/**
 * Makes a dialed socket report ECONNRESET where the accepting side left a mark. Works below streams' events, with and without `onread`:
 * Node announces the end of a stream by push(null).
 */
export function watchForReset(socket: Socket, runDir: string, token: string): void {
  const { push, _destroy: destroy } = socket;
  socket.push = function watchedPush(this: Socket, chunk: unknown, encoding?: BufferEncoding): boolean {
    if (chunk !== null || !takeMark(runDir, token)) return push.call(this, chunk, encoding);
    this.destroy(
      Object.assign(new Error("read ECONNRESET"), { errno: -104, code: "ECONNRESET", syscall: "read" as const }),
    );
    return false;
  };
  // A write that meets the closed peer first says EPIPE on a unix socket where TCP says ECONNRESET.
  socket._destroy = function watchedDestroy(this: Socket, error, done): void {
    if (error !== null && "code" in error && error.code === "EPIPE" && takeMark(runDir, token)) {
      error.message = "write ECONNRESET";
      Object.assign(error, { errno: -104, code: "ECONNRESET" });
    }
    destroy.call(this, error, done);
  };
}

function leaveMark(runDir: string, token: string): void {
  const directory = join(runDir, "resets");
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, token), "");
}

/** True when there was a mark; it is removed. */
function takeMark(runDir: string, token: string): boolean {
  try {
    unlinkSync(join(runDir, "resets", token));
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}

function resetTcp(socket: Socket): boolean {
  try {
    socket.resetAndDestroy();
    return true;
  } catch (error) {
    // Thrown for everything that is not TCP (unix sockets, TLS).
    if (error instanceof Error && "code" in error && error.code === "ERR_INVALID_HANDLE_TYPE") return false;
    throw error;
  }
}
