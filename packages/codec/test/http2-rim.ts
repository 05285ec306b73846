/**
 * The thinnest socket rim around the HTTP/2 codec, for interop tests and for peers run by hand: one write per loop turn, and output is taken
 * only while the socket is drained. The proxy has its own; this one shows the contract of http2/connection.ts.
 */
import type { Socket } from "node:net";
import type { Http2Connection } from "../src/http2/connection.ts";
import type { Http2Event } from "../src/http2/events.ts";

export interface Rim {
  /** Writes what was commanded outside of an event. */
  flush(): void;
}

export function driveHttp2<H>(
  socket: Socket,
  connection: Http2Connection<H>,
  onEvent: (event: Http2Event<H>) => void,
): Rim {
  let isScheduled = false;
  let isDrained = true;
  let isBroken = false;
  const write = () => {
    isScheduled = false;
    if (!isDrained || !connection.hasOutput || socket.destroyed) return;
    isDrained = socket.write(connection.takeOutput());
    if (isBroken) socket.end();
  };
  const flush = () => {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(write);
  };
  const pump = () => {
    for (;;) {
      const event = connection.next();
      if (event.kind === "need-data") break;
      onEvent(event);
      if (event.kind === "error" || event.kind === "closed") {
        isBroken = true;
        break;
      }
    }
    flush();
  };
  socket.setNoDelay(true);
  socket.on("data", (chunk: Buffer) => {
    if (isBroken) return;
    connection.feed(chunk, 0, chunk.length);
    pump();
  });
  socket.on("drain", () => {
    isDrained = true;
    flush();
  });
  socket.on("end", () => {
    connection.finish();
    if (!isBroken) pump();
    socket.end();
  });
  socket.on("error", () => socket.destroy());
  flush();
  return { flush };
}
