/**
 * A backend on a raw socket: records every byte and answers with the bytes it is told to. It finds the end of a request by the plain rules
 * only, since what reaches it has passed a proxy; whatever it cannot read stays in the record.
 */
import { createServer, type Server, type Socket } from "node:net";
import type { Answer } from "./case.ts";

export interface Backend {
  readonly port: number;
  /** Forgets what was recorded and takes the answers of the next case. */
  begin(answers: readonly Answer[] | undefined): void;
  /** Everything that came, connection by connection. */
  readonly received: readonly string[];
  readonly lastActivity: number;
  /** Closes every connection. */
  cut(): void;
  close(): void;
}

export async function startBackend(name: string): Promise<Backend> {
  const usual: Answer = {
    pieces: [`HTTP/1.1 200 OK\r\ncontent-length: ${name.length}\r\nx-backend: ${name}\r\n\r\n${name}`],
  };
  const sockets = new Set<Socket>();
  let answers: readonly Answer[] = [usual];
  let answered = 0;
  let received: string[] = [];
  let lastActivity = 0;
  const next = () => answers[Math.min(answered, answers.length - 1)] ?? usual;
  const give = (socket: Socket) => {
    const { pieces, closing } = next();
    answered += 1;
    for (const piece of pieces) socket.write(piece, "latin1");
    if (closing === "end") socket.end();
    else if (closing === "reset") socket.resetAndDestroy();
  };
  const server: Server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    let record = -1;
    let waiting = "";
    let isTunnel = false;
    let isHeadAnswered = false;
    if (next().when === "connection") {
      record = received.push("") - 1;
      give(socket);
      isTunnel = true;
    }
    socket.on("data", (chunk) => {
      lastActivity = performance.now();
      if (record === -1) record = received.push("") - 1;
      const text = chunk.toString("latin1");
      received[record] = (received[record] ?? "") + text;
      if (isTunnel) return;
      waiting += text;
      for (;;) {
        if (!isHeadAnswered && next().when === "head" && waiting.includes("\r\n\r\n")) {
          isHeadAnswered = true;
          give(socket);
        }
        const length = requestLength(waiting);
        if (length === undefined) return;
        const isUpgrade = /^CONNECT |\r\nupgrade:/i.test(waiting.slice(0, length));
        waiting = waiting.slice(length);
        if (!isHeadAnswered) give(socket);
        isHeadAnswered = false;
        if (isUpgrade) {
          isTunnel = true;
          return;
        }
      }
    });
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    begin(script) {
      answers = script ?? [usual];
      answered = 0;
      received = [];
      lastActivity = 0;
    },
    get received() {
      return received;
    },
    get lastActivity() {
      return lastActivity;
    },
    cut,
    close() {
      cut();
      server.close();
    },
  };
}

/** The bytes of the first request, when all of them are there. */
function requestLength(text: string): number | undefined {
  const end = text.indexOf("\r\n\r\n");
  if (end === -1) return undefined;
  const head = text.slice(0, end + 2);
  const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(head)?.[1];
  if (/\r\ntransfer-encoding:[^\r]*chunked/i.test(head)) {
    const last = /(?:^|\r\n)0\r\n(?:[^\r\n]+\r\n)*\r\n/.exec(text.slice(end + 4));
    return last === null ? undefined : end + 4 + last.index + last[0].length;
  }
  const whole = end + 4 + Number(length ?? 0);
  return text.length >= whole ? whole : undefined;
}
