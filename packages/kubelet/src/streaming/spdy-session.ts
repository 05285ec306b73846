/** An exec or attach session over SPDY: the client opens one stream per name (error, stdin, stdout, stderr, resize); it begins when all are there. */
import type { Duplex } from "node:stream";
import { parseTerminalSize, type RemoteSession, type StreamRequest, type TerminalSize } from "./remote-session.ts";
import { acceptSpdy } from "./spdy-connection.ts";

export function acceptSpdySession(
  transport: Duplex,
  request: StreamRequest,
  onSession: (session: RemoteSession) => void,
): void {
  const streams = new Map<string, Duplex>();
  const closeListeners: (() => void)[] = [];
  const resizeListeners: ((size: TerminalSize) => void)[] = [];
  let lastSize: TerminalSize | undefined;
  const wanted = ["error"];
  if (request.stdin) wanted.push("stdin");
  if (request.stdout) wanted.push("stdout");
  if (request.stderr) wanted.push("stderr");

  const begin = () => {
    onSession({
      request,
      stdin: streams.get("stdin"),
      stdout: streams.get("stdout"),
      stderr: streams.get("stderr"),
      onResize(listener) {
        resizeListeners.push(listener);
        if (lastSize !== undefined) listener(lastSize);
      },
      onClose: (listener) => void closeListeners.push(listener),
      finish(status) {
        streams.get("stdout")?.end();
        streams.get("stderr")?.end();
        streams.get("error")?.end(JSON.stringify(status));
        // The client closes the connection when it has read the status.
      },
    });
  };
  let hasBegun = false;
  acceptSpdy(
    transport,
    ({ headers, body }) => {
      const type = headers.streamtype ?? "";
      streams.set(type, body);
      if (type === "resize") {
        body.on("data", (chunk: Buffer) => {
          for (const line of chunk.toString("utf8").split("\n")) {
            const size = parseTerminalSize(line);
            if (size === undefined) continue;
            lastSize = size;
            for (const listener of resizeListeners) listener(size);
          }
        });
      }
      if (hasBegun || !wanted.every((name) => streams.has(name))) return;
      hasBegun = true;
      begin();
    },
    () => {
      for (const listener of closeListeners) listener();
    },
  );
}
