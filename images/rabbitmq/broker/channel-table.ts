/** The channels of one connection: opened and closed by their numbers, and which of them a method or a piece of content is for. */
import { encodeContent, encodeMethod, type Frame } from "../amqp/frames.ts";
import type { Method } from "../amqp/methods.ts";
import { type Channel, type ChannelDeps, createChannel } from "./channel.ts";
import { beginContent, type Content, unexpectedFrame } from "./content.ts";
import { Failure } from "./failure.ts";

export interface ChannelTable {
  readonly channels: ReadonlyMap<number, Channel>;
  onMethod(number: number, method: Method): void;
  onContent(frame: Frame): void;
  /** Closes a channel for a failure of its own; its client has still to say that it knows. False when there is no such channel. */
  fail(number: number, failure: Failure, cause: { readonly classId: number; readonly methodId: number }): boolean;
  /** The connection is gone. */
  closeAll(): void;
}

export interface ChannelTableDeps extends Pick<ChannelDeps, "broker" | "owner" | "newName" | "isWritable"> {
  readonly connectionName: string;
  /** What is known after the handshake only. */
  user(): string;
  wantsCancelNotice(): boolean;
  frameMax(): number;
  write(bytes: Buffer): void;
  onPublish(): void;
}

interface OpenChannel {
  readonly channel: Channel;
  content: Content | undefined;
}

export function createChannelTable(deps: ChannelTableDeps): ChannelTable {
  const { broker, owner, newName, isWritable, write } = deps;
  const channels = new Map<number, Channel>();
  const open = new Map<number, OpenChannel>();
  /** Channels that we closed and whose client has not said so yet. */
  const closing = new Set<number>();
  const send = (channel: number, method: Method) => write(encodeMethod(channel, method));

  const add = (number: number) => {
    if (open.has(number)) throw new Failure("CHANNEL_ERROR", "second 'channel.open' seen");
    const channel = createChannel({
      broker,
      owner,
      name: `${deps.connectionName} (${number})`,
      user: deps.user(),
      wantsCancelNotice: deps.wantsCancelNotice(),
      send: (method) => send(number, method),
      sendContent(method, properties, body) {
        write(encodeMethod(number, method));
        for (const frame of encodeContent(number, properties, body, deps.frameMax())) write(frame);
      },
      isWritable,
      newName,
    });
    open.set(number, { channel, content: undefined });
    channels.set(number, channel);
    send(number, { name: "channel.open-ok", args: { reserved: Buffer.alloc(0) } });
  };
  const remove = (number: number, { channel }: OpenChannel) => {
    channel.flush();
    open.delete(number);
    channels.delete(number);
    channel.close();
  };

  return {
    channels,
    onMethod(number, method) {
      if (closing.has(number)) {
        if (method.name === "channel.close") send(number, { name: "channel.close-ok", args: {} });
        if (method.name === "channel.close-ok" || method.name === "channel.close") closing.delete(number);
        return;
      }
      if (method.name === "channel.open") return add(number);
      const found = open.get(number);
      if (found === undefined) throw new Failure("CHANNEL_ERROR", "expected 'channel.open'");
      if (found.content !== undefined)
        throw new Failure(
          "UNEXPECTED_FRAME",
          "expected content header for class 60, got non content header frame instead",
        );
      if (method.name === "channel.close") {
        remove(number, found);
        return send(number, { name: "channel.close-ok", args: {} });
      }
      if (method.name === "basic.publish") {
        deps.onPublish();
        found.content = beginContent(method.args);
        return;
      }
      return found.channel.handle(method);
    },
    onContent(frame) {
      if (closing.has(frame.channel)) return;
      const found = open.get(frame.channel);
      const content = found?.content;
      if (found === undefined || content === undefined) throw unexpectedFrame();
      if (!content.take(frame)) return;
      found.content = undefined;
      found.channel.publish(content.args, content.properties(), content.body());
    },
    fail(number, failure, { classId, methodId }) {
      const found = open.get(number);
      if (found === undefined) return false;
      remove(number, found);
      closing.add(number);
      send(number, { name: "channel.close", args: { code: failure.code, text: failure.message, classId, methodId } });
      return true;
    },
    closeAll() {
      for (const { channel } of [...open.values()]) channel.close();
      open.clear();
      channels.clear();
      broker.connectionLeft(owner);
    },
  };
}
