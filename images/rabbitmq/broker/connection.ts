/**
 * One client's connection without its socket: bytes in, bytes out. Handshake, tuning, channels, heartbeats, and how failures are told.
 *   header → start → tune → opening → open → closing (we said close, everything but close-ok is ignored) → closed
 * AMQP 0-9-1 specification, section 2.2.4.
 */
import {
  createFrameReader,
  decodeContentHeader,
  decodeMethod,
  encodeContent,
  encodeMethod,
  FRAME_BODY,
  FRAME_HEADER,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
  type Frame,
  HEARTBEAT,
  PROTOCOL_HEADER,
} from "../amqp/frames.ts";
import type { Arguments, Method } from "../amqp/methods.ts";
import { METHODS } from "../amqp/methods.ts";
import { MalformedError, type Table } from "../amqp/values.ts";
import { type Authenticate, readLogin } from "./authentication.ts";
import type { Broker } from "./broker.ts";
import { type Channel, createChannel } from "./channel.ts";
import { Failure } from "./failure.ts";
import { type Product, startArguments } from "./greeting.ts";

export const FRAME_MAX = 131_072;
const CHANNEL_MAX = 2047;
const HEARTBEAT_SECONDS = 60;
/** For the next step of the handshake, or the answer to our farewell. */
const HANDSHAKE_MS = 10_000;
const MAX_BODY_BYTES = 134_217_728;

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

interface OpenChannel {
  readonly channel: Channel;
  content: Content | undefined;
}

interface Content {
  readonly args: Arguments<"basic.publish">;
  properties: Buffer | undefined;
  bytesLeft: number;
  readonly parts: Buffer[];
}

export function createConnection(deps: ConnectionDeps): Connection {
  const { broker } = deps;
  const owner = {};
  const channels = new Map<number, Channel>();
  const open = new Map<number, OpenChannel>();
  /** Channels that we closed and whose client has not said so yet. */
  const closing = new Set<number>();
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

  const dropChannels = () => {
    for (const { channel } of [...open.values()]) channel.close();
    open.clear();
    channels.clear();
    broker.connectionLeft(owner);
  };
  const finish = () => {
    if (state === "closed") return;
    dropChannels();
    state = "closed";
    deps.end();
  };
  const closeConnection = (failure: Failure, classId: number, methodId: number) => {
    send(0, { name: "connection.close", args: { code: failure.code, text: failure.message, classId, methodId } });
    dropChannels();
    state = "closing";
  };
  const fail = (error: unknown, number: number, method: Method | undefined) => {
    const [classId, methodId] = method === undefined ? [0, 0] : METHODS[method.name].id;
    const failure = failureOf(error);
    const found = open.get(number);
    if (failure.scope === "connection" || found === undefined) return closeConnection(failure, classId, methodId);
    found.channel.flush();
    removeChannel(number);
    closing.add(number);
    return send(number, {
      name: "channel.close",
      args: { code: failure.code, text: failure.message, classId, methodId },
    });
  };
  const removeChannel = (number: number) => {
    const found = open.get(number);
    open.delete(number);
    channels.delete(number);
    found?.channel.close();
  };

  const openChannel = (number: number) => {
    if (open.has(number)) throw new Failure("CHANNEL_ERROR", "second 'channel.open' seen");
    const channel = createChannel({
      broker,
      owner,
      name: `${deps.name} (${number})`,
      user,
      wantsCancelNotice: can("consumer_cancel_notify"),
      send: (method) => send(number, method),
      sendContent(method, properties, body) {
        write(encodeMethod(number, method));
        for (const frame of encodeContent(number, properties, body, frameMax)) write(frame);
      },
      isWritable: () => isWritable,
      newName: deps.newName,
    });
    open.set(number, { channel, content: undefined });
    channels.set(number, channel);
    send(number, { name: "channel.open-ok", args: { reserved: Buffer.alloc(0) } });
  };

  const onConnectionMethod = (method: Method) => {
    if (method.name === "connection.close") {
      dropChannels();
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

  const onChannelMethod = (number: number, method: Method) => {
    if (closing.has(number)) {
      if (method.name === "channel.close") send(number, { name: "channel.close-ok", args: {} });
      if (method.name === "channel.close-ok" || method.name === "channel.close") closing.delete(number);
      return;
    }
    if (method.name === "channel.open") return openChannel(number);
    const found = open.get(number);
    if (found === undefined) throw new Failure("CHANNEL_ERROR", "expected 'channel.open'");
    if (found.content !== undefined)
      throw new Failure(
        "UNEXPECTED_FRAME",
        "expected content header for class 60, got non content header frame instead",
      );
    if (method.name === "channel.close") {
      found.channel.flush();
      removeChannel(number);
      return send(number, { name: "channel.close-ok", args: {} });
    }
    if (method.name === "basic.publish") {
      isPublisher = true;
      found.content = { args: method.args, properties: undefined, bytesLeft: 0, parts: [] };
      return;
    }
    return found.channel.handle(method);
  };

  const onContent = ({ type, channel: number, payload }: Frame) => {
    if (closing.has(number)) return;
    const found = open.get(number);
    const content = found?.content;
    if (found === undefined || content === undefined || (type === FRAME_HEADER) !== (content.properties === undefined))
      throw new Failure("UNEXPECTED_FRAME", "expected method frame, got non method frame instead");
    if (type === FRAME_HEADER) {
      const header = decodeContentHeader(payload);
      content.properties = header.properties;
      content.bytesLeft = header.bodyBytes;
      if (header.bodyBytes > MAX_BODY_BYTES) {
        found.content = undefined;
        throw new Failure(
          "PRECONDITION_FAILED",
          `message size ${header.bodyBytes} is larger than configured max size ${MAX_BODY_BYTES}`,
        );
      }
    } else {
      content.parts.push(Buffer.from(payload));
      content.bytesLeft -= payload.length;
    }
    if (content.bytesLeft < 0) throw new Failure("FRAME_ERROR", "more content than the header said");
    if (content.bytesLeft > 0) return;
    found.content = undefined;
    const body = content.parts.length === 1 ? content.parts[0] : Buffer.concat(content.parts);
    found.channel.publish(content.args, content.properties ?? Buffer.alloc(2), body ?? Buffer.alloc(0));
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
      if (frame.type !== FRAME_METHOD) return onContent(frame);
      if (method === undefined) throw new Failure("COMMAND_INVALID", "unknown method");
      if (frame.channel === 0) return onConnectionMethod(method);
      if (state !== "open") throw new Failure("CHANNEL_ERROR", `a channel before the connection is open`);
      return onChannelMethod(frame.channel, method);
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
    channels,
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
      for (const { channel } of open.values()) channel.flush();
    },
    setWritable(value) {
      isWritable = value;
      if (value) for (const { channel } of [...open.values()]) channel.resume();
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
      dropChannels();
      state = "closed";
    },
  };
}

function failureOf(error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (error instanceof MalformedError) return new Failure("SYNTAX_ERROR", error.message);
  return new Failure("INTERNAL_ERROR", error instanceof Error ? error.message : String(error));
}
