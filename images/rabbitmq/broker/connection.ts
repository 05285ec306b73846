/**
 * One client's connection without its socket: bytes in, bytes out. Handshake, tuning, heartbeats, and how failures are told; what is on channels is the table's.
 *   header → start → tune → opening → open → closing (we said close, everything but close-ok is ignored) → closed
 * AMQP 0-9-1 specification, section 2.2.4.
 */
import {
  createFrameReader,
  decodeMethod,
  encodeMethod,
  FRAME_BODY,
  FRAME_HEADER,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
  type Frame,
  HEARTBEAT,
  PROTOCOL_HEADER,
} from "../amqp/frames.ts";
import type { Method } from "../amqp/methods.ts";
import { METHODS } from "../amqp/methods.ts";
import { MalformedError, type Table } from "../amqp/values.ts";
import { type Authenticate, readLogin } from "./authentication.ts";
import type { Broker } from "./broker.ts";
import type { Channel } from "./channel.ts";
import { createChannelTable } from "./channel-table.ts";
import { Failure } from "./failure.ts";
import { type Product, startArguments } from "./greeting.ts";

export const FRAME_MAX = 131_072;
const CHANNEL_MAX = 2047;
const HEARTBEAT_SECONDS = 60;
/** For the next step of the handshake, or the answer to our farewell. */
const HANDSHAKE_MS = 10_000;

export interface ConnectionDeps {
  readonly broker: Broker;
  /** `127.0.0.1:50000 -> 127.0.0.1:5672`. */
  readonly name: string;
  readonly now: () => number;
  readonly authenticate: Authenticate;
  readonly product: Product;
  newName(prefix: string): string;
  write(bytes: Buffer): void;
  /** No more bytes come after what was written. */
  end(): void;
}

export type ConnectionState = "header" | "start" | "tune" | "opening" | "open" | "closing" | "closed";

export interface Connection {
  readonly name: string;
  readonly state: ConnectionState;
  readonly user: string;
  readonly clientProperties: Table;
  readonly channels: ReadonlyMap<number, Channel>;
  readonly connectedAtMs: number;
  /** Whether it has published: those are held back while memory is short. */
  readonly isPublisher: boolean;
  receive(chunk: Buffer): void;
  /** False while the client does not read what we write. */
  setWritable(isWritable: boolean): void;
  /** Memory is short: connection.blocked, for clients that understand it. */
  setBlocked(isBlocked: boolean): void;
  /** Heartbeats; called every second or so. */
  tick(): void;
  /** The broker goes down. */
  shutDown(): void;
  /** The socket is gone. */
  lost(): void;
}

export function createConnection(deps: ConnectionDeps): Connection {
  const connectedAtMs = deps.now();
  let state: ConnectionState = "header";
  let greeting = Buffer.alloc(0);
  let frameMax = FRAME_MAX;
  let heartbeatMs = 0;
  let lastReceivedMs = connectedAtMs;
  let lastSentMs = connectedAtMs;
  let isWritable = true;
  let isPublisher = false;
  let user = "";
  let clientProperties: Table = new Map();

  const write = (bytes: Buffer) => {
    if (state === "closed") return;
    lastSentMs = deps.now();
    deps.write(bytes);
  };
  const send = (channel: number, method: Method) => write(encodeMethod(channel, method));
  const can = (name: string): boolean => {
    const capabilities = clientProperties.get("capabilities");
    const value = capabilities?.type === "F" ? capabilities.value.get(name) : undefined;
    return value?.type === "t" && value.value;
  };
  const reader = createFrameReader(() => (state === "open" ? frameMax : FRAME_MAX));

  const table = createChannelTable({
    broker: deps.broker,
    owner: {},
    connectionName: deps.name,
    newName: deps.newName,
    user: () => user,
    wantsCancelNotice: () => can("consumer_cancel_notify"),
    frameMax: () => frameMax,
    isWritable: () => isWritable,
    write,
    onPublish() {
      isPublisher = true;
    },
  });
  const finish = () => {
    if (state === "closed") return;
    table.closeAll();
    state = "closed";
    deps.end();
  };
  const closeConnection = (failure: Failure, classId: number, methodId: number) => {
    send(0, { name: "connection.close", args: { code: failure.code, text: failure.message, classId, methodId } });
    table.closeAll();
    state = "closing";
  };
  const fail = (error: unknown, number: number, method: Method | undefined) => {
    const [classId, methodId] = method === undefined ? [0, 0] : METHODS[method.name].id;
    const failure = failureOf(error);
    if (failure.scope === "connection" || !table.fail(number, failure, { classId, methodId }))
      closeConnection(failure, classId, methodId);
  };

  const onConnectionMethod = (method: Method) => {
    if (method.name === "connection.close") {
      table.closeAll();
      send(0, { name: "connection.close-ok", args: {} });
      return finish();
    }
    if (state === "start" && method.name === "connection.start-ok") {
      clientProperties = method.args.clientProperties;
      const { mechanism, response } = method.args;
      const login = readLogin(mechanism, response);
      if (login === undefined || !deps.authenticate(login.user, login.password)) return refuseLogin(mechanism);
      user = login.user;
      state = "tune";
      return send(0, {
        name: "connection.tune",
        args: { channelMax: CHANNEL_MAX, frameMax: FRAME_MAX, heartbeat: HEARTBEAT_SECONDS },
      });
    }
    if (state === "tune" && method.name === "connection.tune-ok") {
      frameMax = method.args.frameMax === 0 ? FRAME_MAX : Math.min(FRAME_MAX, Math.max(4096, method.args.frameMax));
      heartbeatMs = method.args.heartbeat * 1000;
      state = "opening";
      return;
    }
    if (state === "opening" && method.name === "connection.open") {
      if (method.args.vhost !== "/") throw new Failure("NOT_ALLOWED", `vhost ${method.args.vhost} not found`);
      state = "open";
      return send(0, { name: "connection.open-ok", args: { knownHosts: "" } });
    }
    if (state === "open" && method.name === "connection.update-secret")
      return send(0, { name: "connection.update-secret-ok", args: {} });
    throw new Failure("COMMAND_INVALID", `unexpected method ${method.name} in state ${state}`);
  };
  const refuseLogin = (mechanism: string) => {
    const words = `Login was refused using authentication mechanism ${mechanism}. For details see the broker logfile.`;
    if (can("authentication_failure_close")) return closeConnection(new Failure("ACCESS_REFUSED", words), 0, 0);
    return finish();
  };

  const onFrame = (frame: Frame) => {
    if (frame.type === FRAME_HEARTBEAT) return;
    let method: Method | undefined;
    try {
      if (frame.type !== FRAME_METHOD && frame.type !== FRAME_BODY && frame.type !== FRAME_HEADER)
        throw new Failure("FRAME_ERROR", `unknown frame type ${frame.type}`);
      if (frame.type === FRAME_METHOD) method = decodeMethod(frame.payload);
      if (state === "closing") {
        if (method?.name === "connection.close-ok" || method?.name === "connection.close") finish();
        return;
      }
      if (frame.type !== FRAME_METHOD) return table.onContent(frame);
      if (method === undefined) throw new Failure("COMMAND_INVALID", "unknown method");
      if (frame.channel === 0) return onConnectionMethod(method);
      if (state !== "open") throw new Failure("CHANNEL_ERROR", `a channel before the connection is open`);
      return table.onMethod(frame.channel, method);
    } catch (error) {
      return fail(error, frame.channel, method);
    }
  };

  const greet = (chunk: Buffer): Buffer | undefined => {
    greeting = Buffer.concat([greeting, chunk]);
    if (greeting.length < PROTOCOL_HEADER.length) return undefined;
    if (!greeting.subarray(0, 8).equals(PROTOCOL_HEADER)) {
      write(PROTOCOL_HEADER);
      finish();
      return undefined;
    }
    state = "start";
    send(0, { name: "connection.start", args: startArguments(deps.product) });
    return greeting.subarray(8);
  };

  return {
    name: deps.name,
    channels: table.channels,
    connectedAtMs,
    get state() {
      return state;
    },
    get user() {
      return user;
    },
    get clientProperties() {
      return clientProperties;
    },
    get isPublisher() {
      return isPublisher;
    },
    receive(chunk) {
      lastReceivedMs = deps.now();
      const bytes = state === "header" ? greet(chunk) : chunk;
      if (bytes === undefined) return;
      for (const read of reader.push(bytes)) {
        if (state === "closed") return;
        if (read.kind === "frame") onFrame(read.frame);
        else {
          // After bytes that are no frame nothing can be understood any more, not even a farewell.
          if (state !== "closing") fail(new Failure("FRAME_ERROR", read.why), 0, undefined);
          finish();
        }
      }
      for (const channel of table.channels.values()) channel.flush();
    },
    setWritable(value) {
      isWritable = value;
      if (value) for (const channel of [...table.channels.values()]) channel.resume();
    },
    setBlocked(isBlocked) {
      if (state !== "open" || !can("connection.blocked")) return;
      send(
        0,
        isBlocked
          ? { name: "connection.blocked", args: { reason: "low on memory" } }
          : { name: "connection.unblocked", args: {} },
      );
    },
    tick() {
      if (state !== "open" && deps.now() - Math.max(connectedAtMs, lastSentMs) > HANDSHAKE_MS) return finish();
      if (heartbeatMs === 0 || state === "closed") return;
      if (deps.now() - lastReceivedMs > 2 * heartbeatMs) return finish();
      if (deps.now() - lastSentMs >= heartbeatMs / 2) write(HEARTBEAT);
    },
    shutDown() {
      if (state === "open") {
        const words = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'";
        send(0, { name: "connection.close", args: { code: 320, text: words, classId: 0, methodId: 0 } });
      }
      finish();
    },
    lost() {
      if (state === "closed") return;
      table.closeAll();
      state = "closed";
    },
  };
}

function failureOf(error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (error instanceof MalformedError) return new Failure("SYNTAX_ERROR", error.message);
  return new Failure("INTERNAL_ERROR", error instanceof Error ? error.message : String(error));
}
