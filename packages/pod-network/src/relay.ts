/**
 * Copies bytes both ways between two connections. Half-close passes (end of one side ends the other's writing), a slow reader slows its
 * writer, and a broken side resets the other one. Both sockets should be half-open capable (allowHalfOpen), else an end closes both ways.
 */
import type { Socket } from "node:net";
import { type Clock, systemClock, type Timer } from "@argyle/core";
import { resetSocket } from "./reset.ts";

export interface RelayResult {
  /** Bytes from a to b and from b to a. */
  readonly forward: number;
  readonly backward: number;
  /** The side that broke the connection, if one did. */
  readonly error?: { readonly side: "a" | "b"; readonly cause: Error };
}

export interface RelayOptions {
  /** No byte in either direction for that long ends both (default: never). */
  readonly idleTimeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  /** How to reset a side when the other one broke. Default resetSocket; pass one that knows the PROXY header of an accepted side. */
  readonly reset?: (socket: Socket, side: "a" | "b") => void;
}

/** Copies until both sides are closed, then resolves; never rejects. Owns both sockets. */
export function relay(a: Socket, b: Socket, options: RelayOptions = {}): Promise<RelayResult> {
  const clock = options.clock ?? systemClock;
  const reset = options.reset ?? ((socket: Socket) => resetSocket(socket));
  const bytes = { a: 0, b: 0 };
  let error: RelayResult["error"];
  let open = 2;
  let lastByteAt = clock.monotonic();
  let idleTimer: Timer | undefined;

  return new Promise((resolve) => {
    const destroyBoth = () => {
      a.destroy();
      b.destroy();
    };
    const watchIdle = (timeoutMs: number, delayMs: number) => {
      idleTimer = clock.after(delayMs, () => {
        const left = lastByteAt + timeoutMs - clock.monotonic();
        if (left <= 0) destroyBoth();
        else watchIdle(timeoutMs, left);
      });
    };
    const onClose = () => {
      open -= 1;
      if (open > 0) return;
      idleTimer?.cancel();
      options.signal?.removeEventListener("abort", destroyBoth);
      resolve({ forward: bytes.a, backward: bytes.b, ...(error === undefined ? {} : { error }) });
    };
    const pump = (from: Socket, to: Socket, side: "a" | "b") => {
      const otherSide = side === "a" ? "b" : "a";
      from.on("data", (chunk: Buffer) => {
        bytes[side] += chunk.length;
        lastByteAt = clock.monotonic();
        if (to.writable && !to.write(chunk)) from.pause();
      });
      to.on("drain", () => from.resume());
      from.on("end", () => {
        if (to.writable) to.end();
      });
      from.on("error", (cause) => {
        error ??= { side, cause };
        if (!to.destroyed) reset(to, otherSide);
      });
      from.on("close", () => {
        // Closed without an error and without an end of its own: our side is the last one that could still read or write.
        if (!to.destroyed && !from.readableEnded) to.destroy();
        onClose();
      });
      if (from.closed) {
        to.destroy();
        onClose();
      }
    };
    pump(a, b, "a");
    pump(b, a, "b");
    if (options.idleTimeoutMs !== undefined) watchIdle(options.idleTimeoutMs, options.idleTimeoutMs);
    options.signal?.addEventListener("abort", destroyBoth, { once: true });
    if (options.signal?.aborted === true) destroyBoth();
  });
}
