/**
 * `kubectl port-forward`: connections of the client, each joined to a port of the pod, with half-close both ways. Two carriers: SPDY streams (on the
 * connection itself or inside WebSocket messages), an `error` and a `data` stream per connection with one requestid; and the WebSocket channels of other
 * clients, 2i data and 2i+1 error, whose first message is the port in two bytes, little-endian.
 */
import type { Socket } from "node:net";
import { type Duplex, PassThrough } from "node:stream";
import { describeError } from "@argyle/core";
import type { WebSocket } from "ws";
import { acceptSpdy } from "./spdy-connection.ts";
import { channelWriter, toBuffer } from "./websocket-session.ts";

export type DialPod = (port: number) => Promise<Socket>;

export function forwardOverSpdy(transport: Duplex, dial: DialPod): void {
  const halves = new Map<string, { error?: Duplex; data?: Duplex; port: number }>();
  const sockets = new Set<Socket>();
  acceptSpdy(
    transport,
    ({ headers, body }) => {
      const id = headers.requestid ?? headers.port ?? "";
      const pair = halves.get(id) ?? { port: Number(headers.port) };
      halves.set(id, pair);
      if (headers.streamtype === "error") pair.error = body;
      else pair.data = body;
      const { error, data, port } = pair;
      if (error === undefined || data === undefined) return;
      halves.delete(id);
      error.resume();
      void joinSpdy(error, data, port, dial, sockets);
    },
    () => {
      for (const socket of sockets) socket.destroy();
    },
  );
}

async function joinSpdy(error: Duplex, data: Duplex, port: number, dial: DialPod, sockets: Set<Socket>): Promise<void> {
  let socket: Socket;
  try {
    socket = await dial(port);
  } catch (failure) {
    error.end(`failed to connect to port ${port} in the pod: ${describeError(failure)}`);
    data.end();
    data.resume();
    return;
  }
  sockets.add(socket);
  socket.on("error", () => data.destroy());
  data.on("close", () => socket.destroySoon());
  socket.on("close", () => {
    sockets.delete(socket);
    error.end();
    data.end();
  });
  socket.pipe(data);
  data.pipe(socket);
}

export function forwardOverChannels(ws: WebSocket, ports: readonly number[], dial: DialPod): void {
  const inputs = ports.map(() => new PassThrough());
  ws.on("message", (message) => {
    const bytes = toBuffer(message);
    const channel = bytes[0] ?? 0;
    if (channel % 2 === 0 && bytes.length > 1) inputs[channel / 2]?.write(bytes.subarray(1));
  });
  ws.on("error", () => ws.terminate());
  for (const [i, port] of ports.entries()) {
    const hello = Buffer.from([port & 0xff, port >> 8]);
    const output = channelWriter(ws, 2 * i);
    const errors = channelWriter(ws, 2 * i + 1);
    output.write(hello);
    errors.write(hello);
    dial(port).then(
      (socket) => {
        socket.on("error", () => socket.destroy());
        socket.on("close", () => ws.close(1000));
        ws.on("close", () => socket.destroy());
        inputs[i]?.pipe(socket);
        socket.pipe(output);
      },
      (error: unknown) => {
        errors.write(`failed to connect to port ${port} in the pod: ${describeError(error)}`);
      },
    );
  }
}
