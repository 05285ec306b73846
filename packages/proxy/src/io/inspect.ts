/**
 * The listener filters that look at the first bytes of a connection without taking them: tls_inspector and http_inspector. Ends as soon as the
 * bytes decide, or when the client says nothing for the configured time (server-first protocols).
 */
import type { Socket } from "node:net";
import type { Clock, Timer } from "@argyle/core";
import { parseClientHello } from "./client-hello.ts";
import { sniffHttp } from "./sniff-http.ts";

export interface Inspection {
  readonly isTls: boolean;
  readonly serverName: string;
  /** ALPN, or what http_inspector saw. */
  readonly protocols: readonly string[];
  readonly bytes: Buffer;
  readonly timedOut?: boolean;
}

export interface InspectOptions {
  readonly wantsTls: boolean;
  readonly wantsHttp: boolean;
  /** 0: wait for ever. */
  readonly timeoutMs: number;
}

const MAX_PEEKED = 64 * 1024;

/** Undefined when the client closed before anything was decided. The socket is left paused, without listeners of ours. */
export function inspect(
  socket: Socket,
  peeked: Buffer,
  options: InspectOptions,
  clock: Clock,
): Promise<Inspection | undefined> {
  const known = decide(peeked, options);
  if (known !== undefined) return Promise.resolve(known);
  return new Promise((resolve) => {
    let bytes = peeked;
    let timer: Timer | undefined;
    const finish = (result: Inspection | undefined) => {
      timer?.cancel();
      socket.off("data", onData);
      socket.off("end", onEnd);
      socket.off("close", onEnd);
      socket.off("error", onEnd);
      socket.pause();
      resolve(result);
    };
    const onData = (chunk: Buffer) => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      const result = decide(bytes, options) ?? (bytes.length > MAX_PEEKED ? plain(bytes) : undefined);
      if (result !== undefined) finish(result);
    };
    const onEnd = () => finish(undefined);
    if (options.timeoutMs > 0)
      timer = clock.after(options.timeoutMs, () => finish({ ...plain(bytes), timedOut: true }), { unref: true });
    socket.on("data", onData);
    socket.on("end", onEnd);
    socket.on("close", onEnd);
    socket.on("error", onEnd);
    socket.resume();
  });
}

function plain(bytes: Buffer): Inspection {
  return { isTls: false, serverName: "", protocols: [], bytes };
}

function decide(bytes: Buffer, { wantsTls, wantsHttp }: InspectOptions): Inspection | undefined {
  if (bytes.length === 0) return undefined;
  if (wantsTls) {
    const hello = parseClientHello(bytes);
    if (hello.kind === "need-more") return undefined;
    if (hello.kind === "hello") return { isTls: true, serverName: hello.serverName, protocols: hello.alpn, bytes };
  }
  if (!wantsHttp) return plain(bytes);
  const http = sniffHttp(bytes);
  if (http === "need-more") return undefined;
  return http === "other" ? plain(bytes) : { ...plain(bytes), protocols: [http] };
}
