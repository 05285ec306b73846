/** The sockets of the server: one session a connection, commands in, replies out, in order. */
import { createServer, type Server, type Socket } from "node:net";
import { type AppendOnlyFile, openAppendOnlyFile } from "./append-only-file.ts";
import { type CommandContext, compileGlob, type ServerFacts, type Session } from "./command.ts";
import { execute } from "./execute.ts";
import { createKeyspace } from "./keyspace.ts";
import { bulk, createCommandReader, encodeReply, type Reply } from "./resp.ts";

export interface RedisOptions {
  readonly port: number;
  /** Where the append-only file is; undefined keeps everything in memory only. */
  readonly dir?: string;
  readonly now?: () => number;
}

export interface RedisServer {
  readonly server: Server;
  close(): Promise<void>;
}

const SWEEP_MS = 1000;
const SWEEP_KEYS = 1000;

export function createRedisServer(options: RedisOptions): RedisServer {
  const keys = createKeyspace(options.now ?? Date.now);
  const connections = new Map<Session, Socket>();
  let file: AppendOnlyFile | undefined;
  let nextId = 1;

  const send = (session: Session, reply: Reply) => {
    connections.get(session)?.write(encodeReply(reply, session.protocol), "latin1");
  };
  const facts: ServerFacts = {
    startedAtMs: keys.now(),
    port: options.port,
    commandsProcessed: 0,
    connectionsReceived: 0,
    clients: () => [...connections.keys()],
    publish(channel, message) {
      let receivers = 0;
      for (const session of connections.keys()) {
        if (session.channels.has(channel)) {
          send(session, { kind: "push", items: [bulk("message"), bulk(channel), bulk(message)] });
          receivers += 1;
        }
        for (const pattern of session.patterns) {
          if (!compileGlob(pattern)(channel)) continue;
          send(session, { kind: "push", items: [bulk("pmessage"), bulk(pattern), bulk(channel), bulk(message)] });
          receivers += 1;
        }
      }
      return receivers;
    },
    save() {
      file?.rewrite(keys);
      return file !== undefined;
    },
    config: new Map([
      ["appendonly", options.dir === undefined ? "no" : "yes"],
      ["save", ""],
      ["maxmemory", "0"],
      ["maxmemory-policy", "noeviction"],
      ["databases", "1"],
      ["timeout", "0"],
      ["notify-keyspace-events", ""],
      ["dir", options.dir ?? ""],
    ]),
  };

  if (options.dir !== undefined) {
    const loading: CommandContext = { keys, session: createSession(0), server: facts };
    file = openAppendOnlyFile(options.dir, (argv) => void execute(argv, loading, () => undefined));
    file.rewrite(keys);
  }

  const server = createServer((socket) => {
    const session = createSession(nextId++);
    const reader = createCommandReader();
    facts.connectionsReceived += 1;
    connections.set(session, socket);
    socket.setEncoding("latin1");
    socket.setNoDelay(true);
    socket.on("data", (chunk) => {
      let out = "";
      for (const parsed of reader.push(String(chunk))) {
        if (parsed.kind === "error") {
          socket.end(`${out}-${parsed.text}\r\n`, "latin1");
          return;
        }
        facts.commandsProcessed += 1;
        const reply = execute(parsed.args, { keys, session, server: facts }, (argv) => file?.append(argv, keys));
        out += encodeReply(reply, session.protocol);
        if (session.shouldClose) {
          socket.end(out, "latin1");
          return;
        }
      }
      if (out !== "" && !socket.write(out, "latin1")) {
        socket.pause();
        socket.once("drain", () => socket.resume());
      }
    });
    // A client that goes away is no event worth a line: what it had asked for is done or not.
    socket.on("error", () => undefined);
    socket.on("close", () => connections.delete(session));
  });
  const sweeper = setInterval(() => void keys.sweep(SWEEP_KEYS), SWEEP_MS);
  sweeper.unref();
  return {
    server,
    close: () =>
      new Promise((resolve) => {
        clearInterval(sweeper);
        server.close(() => {
          file?.close();
          resolve();
        });
        for (const socket of connections.values()) socket.destroy();
      }),
  };
}

function createSession(id: number): Session {
  return {
    id,
    protocol: 2,
    name: "",
    channels: new Set(),
    patterns: new Set(),
    queue: undefined,
    isQueueBroken: false,
    watched: new Map(),
    shouldClose: false,
  };
}
