/** Connection, server and publish/subscribe commands. https://redis.io/docs/latest/commands/?group=connection (server, pubsub) */
import {
  type CommandContext,
  CommandError,
  type CommandTable,
  compileGlob,
  readInteger,
  type Session,
  SYNTAX_ERROR,
} from "../command.ts";
import { array, bulk, bulks, failure, integer, NULL, OK, type Reply } from "../resp.ts";

/** The release whose behaviour this server has. */
export const REDIS_VERSION = "7.0.15";

export const CONNECTION_COMMANDS: CommandTable = {
  ping: {
    arity: -1,
    run([message, extra], { session }) {
      if (extra !== undefined) return failure("ERR wrong number of arguments for 'ping' command");
      if (session.protocol === 2 && isSubscribed(session)) return bulks(["pong", message ?? ""]);
      return message === undefined ? { kind: "simple", text: "PONG" } : bulk(message);
    },
  },
  echo: { arity: 2, run: ([message = ""]) => bulk(message) },
  select: {
    arity: 2,
    run: ([index]) => (readInteger(index) === 0 ? OK : failure("ERR DB index is out of range")),
  },
  auth: {
    arity: -2,
    run: () =>
      failure(
        "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
      ),
  },
  hello: { arity: -1, run: hello },
  quit: {
    arity: -1,
    run(_, { session }) {
      session.shouldClose = true;
      return OK;
    },
  },
  reset: {
    arity: 1,
    run(_, { session }) {
      session.protocol = 2;
      session.queue = undefined;
      session.watched.clear();
      session.channels.clear();
      session.patterns.clear();
      return { kind: "simple", text: "RESET" };
    },
  },
  client: { arity: -2, run: client },
  command: {
    arity: -1,
    run: ([sub]) =>
      sub?.toUpperCase() === "COUNT"
        ? integer(0)
        : sub?.toUpperCase() === "DOCS"
          ? { kind: "map", entries: [] }
          : array([]),
  },
  time: {
    arity: 1,
    run: (_, { keys }) => bulks([String(Math.floor(keys.now() / 1000)), String((keys.now() % 1000) * 1000)]),
  },
  info: { arity: -1, run: (sections, context) => bulk(info(sections, context)) },
  config: { arity: -2, run: config },
  save: {
    arity: 1,
    run: (_, { server }) =>
      server.save() ? OK : failure("ERR this server keeps nothing on disk: start it with --dir and --appendonly yes"),
  },
  bgsave: {
    arity: -1,
    run: (_, { server }) =>
      server.save()
        ? { kind: "simple", text: "Background saving started" }
        : failure("ERR this server keeps nothing on disk: start it with --dir and --appendonly yes"),
  },
  publish: { arity: 3, run: ([channel = "", message = ""], { server }) => integer(server.publish(channel, message)) },
  subscribe: { arity: -2, run: (names, { session }) => confirmations("subscribe", names, session.channels, session) },
  psubscribe: { arity: -2, run: (names, { session }) => confirmations("psubscribe", names, session.patterns, session) },
  unsubscribe: {
    arity: -1,
    run: (names, { session }) => confirmations("unsubscribe", names, session.channels, session),
  },
  punsubscribe: {
    arity: -1,
    run: (names, { session }) => confirmations("punsubscribe", names, session.patterns, session),
  },
  pubsub: { arity: -2, run: pubsub },
};

export function isSubscribed(session: Session): boolean {
  return session.channels.size + session.patterns.size > 0;
}

function hello(args: readonly string[], { session }: CommandContext): Reply {
  const [version, ...options] = args;
  if (version !== undefined) {
    const wanted = /^\d+$/.test(version) ? Number(version) : Number.NaN;
    if (Number.isNaN(wanted)) return failure("ERR Protocol version is not an integer or out of range");
    if (wanted !== 2 && wanted !== 3) return failure("NOPROTO unsupported protocol version");
    for (let i = 0; i < options.length; i++) {
      const option = options[i]?.toUpperCase();
      if (option === "SETNAME" && i + 1 < options.length) session.name = options[++i] ?? "";
      else if (option === "AUTH" && i + 2 < options.length) i += 2;
      else return failure(`ERR Syntax error in HELLO option '${options[i]?.toLowerCase()}'`);
    }
    session.protocol = wanted;
  }
  const facts: readonly (readonly [string, Reply])[] = [
    ["server", bulk("redis")],
    ["version", bulk(REDIS_VERSION)],
    ["proto", integer(session.protocol)],
    ["id", integer(session.id)],
    ["mode", bulk("standalone")],
    ["role", bulk("master")],
    ["modules", array([])],
  ];
  return { kind: "map", entries: facts.map(([name, value]) => [bulk(name), value] as const) };
}

function client([sub = "", ...args]: readonly string[], { session, server }: CommandContext): Reply {
  switch (sub.toUpperCase()) {
    case "ID":
      return integer(session.id);
    case "GETNAME":
      return session.name === "" ? NULL : bulk(session.name);
    case "SETNAME":
      session.name = args[0] ?? "";
      return OK;
    case "SETINFO":
    case "NO-EVICT":
    case "NO-TOUCH":
      return OK;
    case "LIST":
      return bulk(
        server
          .clients()
          .map(
            (c) => `id=${c.id} name=${c.name} db=0 sub=${c.channels.size} psub=${c.patterns.size} resp=${c.protocol}\n`,
          )
          .join(""),
      );
    default:
      return failure(`ERR unknown subcommand '${sub}'. Try CLIENT HELP.`);
  }
}

function config([sub = "", ...args]: readonly string[], { server }: CommandContext): Reply {
  switch (sub.toUpperCase()) {
    case "GET": {
      if (args.length === 0) return failure("ERR wrong number of arguments for 'config|get' command");
      const matchers = args.map((pattern) => compileGlob(pattern.toLowerCase()));
      const found = [...server.config].filter(([name]) => matchers.some((matches) => matches(name)));
      return { kind: "map", entries: found.map(([name, value]) => [bulk(name), bulk(value)] as const) };
    }
    case "SET": {
      for (let i = 0; i < args.length; i += 2) {
        const name = (args[i] ?? "").toLowerCase();
        if (!server.config.has(name))
          return failure(`ERR Unknown option or number of arguments for CONFIG SET - '${args[i]}'`);
        server.config.set(name, args[i + 1] ?? "");
      }
      return OK;
    }
    case "RESETSTAT":
      server.commandsProcessed = 0;
      return OK;
    default:
      return failure(`ERR unknown subcommand '${sub}'. Try CONFIG HELP.`);
  }
}

function pubsub([sub = "", ...args]: readonly string[], { server }: CommandContext): Reply {
  const clients = server.clients();
  switch (sub.toUpperCase()) {
    case "CHANNELS": {
      const matches = compileGlob(args[0] ?? "*");
      return bulks([...new Set(clients.flatMap((c) => [...c.channels]))].filter(matches));
    }
    case "NUMSUB":
      return array(
        args.flatMap((channel) => [bulk(channel), integer(clients.filter((c) => c.channels.has(channel)).length)]),
      );
    case "NUMPAT":
      return integer(new Set(clients.flatMap((c) => [...c.patterns])).size);
    default:
      throw new CommandError(SYNTAX_ERROR);
  }
}

/** One confirmation a channel; several replies to one command are sent as a sequence by the connection. */
function confirmations(kind: string, names: readonly string[], held: Set<string>, session: Session): Reply {
  const isAdding = !kind.includes("un");
  const wanted = names.length > 0 ? names : [...held];
  const lines = wanted.map((name): Reply => {
    if (isAdding) held.add(name);
    else held.delete(name);
    return { kind: "push", items: [bulk(kind), bulk(name), integer(session.channels.size + session.patterns.size)] };
  });
  if (lines.length === 0)
    return { kind: "push", items: [bulk(kind), NULL, integer(session.channels.size + session.patterns.size)] };
  return lines.length === 1 && lines[0] !== undefined ? lines[0] : { kind: "sequence", replies: lines };
}

function info(sections: readonly string[], { keys, server }: CommandContext): string {
  const uptime = Math.floor((keys.now() - server.startedAtMs) / 1000);
  const all: Readonly<Record<string, readonly string[]>> = {
    Server: [
      `redis_version:${REDIS_VERSION}`,
      "redis_mode:standalone",
      `process_id:${process.pid}`,
      `tcp_port:${server.port}`,
      `uptime_in_seconds:${uptime}`,
    ],
    Clients: [`connected_clients:${server.clients().length}`],
    Memory: [`used_memory:${process.memoryUsage().heapUsed}`],
    Persistence: ["loading:0", `aof_enabled:${server.config.get("appendonly") === "yes" ? 1 : 0}`],
    Stats: [
      `total_connections_received:${server.connectionsReceived}`,
      `total_commands_processed:${server.commandsProcessed}`,
    ],
    Replication: ["role:master", "connected_slaves:0"],
    Keyspace:
      keys.size() === 0
        ? []
        : [
            `db0:keys=${keys.keys().length},expires=${keys.keys().filter((key) => keys.expiresAt(key) !== undefined).length},avg_ttl=0`,
          ],
  };
  const wanted = sections.map((section) => section.toLowerCase());
  const isAll =
    wanted.length === 0 ||
    wanted.some((section) => section === "all" || section === "default" || section === "everything");
  return Object.entries(all)
    .filter(([name]) => isAll || wanted.includes(name.toLowerCase()))
    .map(([name, lines]) => `# ${name}\r\n${lines.map((line) => `${line}\r\n`).join("")}`)
    .join("\r\n");
}
