/** Reads the PROXY v2 header that opens every connection of the pod network, and says who connects to what. */
import type { Socket } from "node:net";
import type { Clock } from "@argyle/core";
import { authorityOf, decodeProxyHeader, resetSocket } from "@argyle/pod-network";
import type { AcceptedConnection } from "../listener.ts";

const HEADER_TIMEOUT_MS = 5000;
const LOCAL = { ip: "127.0.0.1", port: 0 };

/** Undefined: the peer closed, sent something else, or nothing in time; the socket is destroyed then. */
export function acceptProxied(socket: Socket, clock: Clock, runDir: string): Promise<AcceptedConnection | undefined> {
  return new Promise((resolve) => {
    let bytes: Buffer = Buffer.alloc(0);
    const finish = (connection: AcceptedConnection | undefined) => {
      timer.cancel();
      socket.off("data", onData);
      socket.off("end", onEnd);
      socket.off("close", onEnd);
      socket.off("error", onEnd);
      if (connection === undefined) socket.destroy();
      else socket.pause();
      resolve(connection);
    };
    const onData = (chunk: Buffer) => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      const decoded = decodeProxyHeader(bytes, 0, bytes.length);
      if (decoded.kind === "need-more") return;
      if (decoded.kind === "invalid") {
        finish(undefined);
        return;
      }
      const { header, length } = decoded;
      const isProxy = header.command === "PROXY";
      const destination = isProxy ? header.destination : LOCAL;
      const authority = authorityOf(header);
      finish({
        socket,
        peeked: bytes.subarray(length),
        source: isProxy ? header.source : LOCAL,
        // A name counts as the destination only when it has no address in the pod network.
        destination: { ...destination, authority: destination.ip === "0.0.0.0" ? authority : undefined },
        reset: () => resetSocket(socket, { runDir, header }),
      });
    };
    const onEnd = () => finish(undefined);
    const timer = clock.after(HEADER_TIMEOUT_MS, () => finish(undefined), { unref: true });
    socket.on("data", onData);
    socket.on("end", onEnd);
    socket.on("close", onEnd);
    socket.on("error", onEnd);
    socket.resume();
  });
}
