/** The supervisor's socket: decodes one request a line, answers each once, sends `exited` events to every client. A client's errors end its connection only. */
import { rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { describeError, MeshError } from "@argyle/core";
import { createLineReader, type SupervisorAnswer, type SupervisorMessage, type SupervisorRequest } from "./protocol.ts";
import type { Supervisor } from "./supervisor.ts";

export interface SupervisorServer {
  close(): Promise<void>;
}

/** `onShutdown` is called when a client asks for it, after the answer is on its way. */
export async function serveSupervisor(
  supervisor: Supervisor,
  socketPath: string,
  onShutdown: () => void,
): Promise<SupervisorServer> {
  const clients = new Set<Socket>();
  const send = (socket: Socket, message: SupervisorMessage) => {
    if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
  };
  const unsubscribe = supervisor.onExited((event) => {
    for (const socket of clients) send(socket, { event: "exited", ...event });
  });
  const server = createServer((socket) => {
    clients.add(socket);
    socket.setEncoding("utf8");
    socket.on("error", () => socket.destroy());
    socket.on("close", () => clients.delete(socket));
    const read = createLineReader((line) => {
      void answer(supervisor, line, onShutdown).then((message) => send(socket, message));
    });
    socket.on("data", (chunk) => read(String(chunk)));
  });
  rmSync(socketPath, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(socketPath, resolve);
  });
  return {
    close() {
      unsubscribe();
      for (const socket of clients) socket.end();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

async function answer(supervisor: Supervisor, line: string, onShutdown: () => void): Promise<SupervisorAnswer> {
  let id = 0;
  try {
    const request = JSON.parse(line) as SupervisorRequest;
    id = request.id;
    return { id, result: await perform(supervisor, request, onShutdown) };
  } catch (error) {
    const code = error instanceof MeshError ? error.code : "supervisor.request.malformed";
    return { id, error: { code, message: describeError(error) } };
  }
}

async function perform(supervisor: Supervisor, request: SupervisorRequest, onShutdown: () => void): Promise<unknown> {
  switch (request.method) {
    case "start":
      return supervisor.start(request.params);
    case "signal":
      supervisor.signal(request.params);
      return {};
    case "list":
      return supervisor.list();
    case "forget":
      supervisor.forget(request.params.name);
      return {};
    case "shutdown":
      setImmediate(onShutdown);
      return {};
    default:
      throw new MeshError(`no such method`, { code: "supervisor.request.unknown-method" });
  }
}
