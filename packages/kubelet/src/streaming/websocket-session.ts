/**
 * An exec or attach session over WebSocket: the first byte of a message is its channel (0 stdin, 1 stdout, 2 stderr, 3 error, 4 resize); in v5 a message
 * `255, channel` closes a channel, which is how the end of stdin arrives. Source: Kubernetes, remotecommand WebSocket protocol.
 */
import { PassThrough, Writable } from "node:stream";
import type { RawData, WebSocket } from "ws";
import { parseTerminalSize, type RemoteSession, type StreamRequest, type TerminalSize } from "./remote-session.ts";

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const ERROR = 3;
const RESIZE = 4;
const CLOSE = 255;

export function acceptWebSocketSession(socket: WebSocket, request: StreamRequest): RemoteSession {
  const closeListeners: (() => void)[] = [];
  const resizeListeners: ((size: TerminalSize) => void)[] = [];
  let lastSize: TerminalSize | undefined;
  const stdin = request.stdin ? new PassThrough() : undefined;
  stdin?.on("error", () => undefined);

  socket.on("message", (message: RawData) => {
    const bytes = toBuffer(message);
    const body = bytes.subarray(1);
    switch (bytes[0]) {
      case STDIN:
        if (stdin !== undefined && !stdin.writableEnded && body.length > 0 && !stdin.write(body)) {
          socket.pause();
          stdin.once("drain", () => socket.resume());
        }
        break;
      case RESIZE: {
        const size = parseTerminalSize(body.toString("utf8"));
        if (size === undefined) break;
        lastSize = size;
        for (const listener of resizeListeners) listener(size);
        break;
      }
      case CLOSE:
        if (body[0] === STDIN) stdin?.end();
        break;
    }
  });
  socket.on("error", () => socket.terminate());
  socket.on("close", () => {
    stdin?.end();
    for (const listener of closeListeners) listener();
  });
  return {
    request,
    stdin,
    stdout: request.stdout ? channelWriter(socket, STDOUT) : undefined,
    stderr: request.stderr ? channelWriter(socket, STDERR) : undefined,
    onResize(listener) {
      resizeListeners.push(listener);
      if (lastSize !== undefined) listener(lastSize);
    },
    onClose: (listener) => void closeListeners.push(listener),
    finish(status) {
      if (socket.readyState !== socket.OPEN) return;
      socket.send(Buffer.concat([Buffer.from([ERROR]), Buffer.from(JSON.stringify(status))]));
      socket.close(1000);
    },
  };
}

export function toBuffer(message: RawData): Buffer {
  if (Buffer.isBuffer(message)) return message;
  return Array.isArray(message) ? Buffer.concat(message) : Buffer.from(message);
}

/** Each write is one message of the channel; the next waits until it is on its way, so a slow client slows the program down. */
export function channelWriter(socket: WebSocket, channel: number): Writable {
  const writer = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (socket.readyState !== socket.OPEN) done();
      else socket.send(Buffer.concat([Buffer.from([channel]), chunk]), (error) => done(error ?? null));
    },
  });
  writer.on("error", () => undefined);
  return writer;
}
