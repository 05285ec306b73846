/**
 * One channel to one durable queue, made again whenever it is lost: brokers come late, go, and come back. For services that need a queue only
 * (`@sock-shop/kit/amqp`), so that the others carry no AMQP client.
 */
import { type Channel, type ChannelModel, connect } from "amqplib";
import { createLogLine } from "./log.ts";

export type { Channel, ConfirmChannel, ConsumeMessage } from "amqplib";

export interface QueueLinkOptions<C extends Channel> {
  readonly url: string;
  readonly queue: string;
  readonly log: (line: string) => void;
  readonly retry?: { readonly minMs: number; readonly maxMs: number };
  readonly createChannel: (connection: ChannelModel) => Promise<C>;
  /** The queue is declared and `channel()` is this one; a rejection ends it. */
  readonly onReady: (channel: C) => Promise<void> | void;
}

export interface QueueLink<C extends Channel> {
  /** Undefined while there is no connection. */
  channel(): C | undefined;
  /** Gives this channel up and makes another, if it still is the one in use. */
  renew(channel: C): void;
  /** Makes no other channel from now on; what was sent is on its way before the connection's last words. */
  close(): Promise<void>;
}

const DEFAULT_RETRY = { minMs: 100, maxMs: 5000 };
const HEARTBEAT_SECONDS = 10;
const CONNECT_TIMEOUT_MS = 5000;

export function keepQueueLink<C extends Channel>(options: QueueLinkOptions<C>): QueueLink<C> {
  const { url, queue, log, retry = DEFAULT_RETRY, createChannel, onReady } = options;
  let connection: ChannelModel | undefined;
  let channel: C | undefined;
  let isClosing = false;
  let delayMs = retry.minMs;
  let timer: NodeJS.Timeout | undefined;

  const lost = (why: string) => {
    connection = undefined;
    channel = undefined;
    if (isClosing || timer !== undefined) return;
    log(createLogLine("warn", "no connection to the queue", { queue, why, retryMs: delayMs }));
    timer = setTimeout(open, delayMs);
    delayMs = Math.min(retry.maxMs, delayMs * 2);
  };
  const open = () => {
    timer = undefined;
    establish().catch((error: unknown) => lost(String(error)));
  };
  /** Its `close` event is what makes another. */
  const abandon = (old: ChannelModel) => {
    channel = undefined;
    old.close().then(undefined, () => undefined);
  };
  const establish = async () => {
    const next = await connect(withHeartbeat(url), { timeout: CONNECT_TIMEOUT_MS });
    let why = "closed by the broker";
    const remember = (error: Error) => {
      why = error.message;
    };
    next.on("error", remember);
    if (isClosing) return next.close();
    connection = next;
    next.on("close", () => {
      if (connection === next) lost(why);
    });
    try {
      const fresh = await createChannel(next);
      fresh.on("error", remember);
      fresh.on("close", () => {
        if (channel === fresh) abandon(next);
      });
      await fresh.assertQueue(queue, { durable: true });
      channel = fresh;
      await onReady(fresh);
    } catch (error) {
      abandon(next);
      throw error;
    }
    delayMs = retry.minMs;
    log(createLogLine("info", "connected to the queue", { queue }));
    return undefined;
  };
  open();

  return {
    channel: () => channel,
    renew(old) {
      if (channel === old && connection !== undefined) abandon(connection);
    },
    async close() {
      isClosing = true;
      clearTimeout(timer);
      const last = connection;
      connection = undefined;
      await last?.close();
      channel = undefined;
    },
  };
}

function withHeartbeat(url: string): string {
  const parsed = new URL(url);
  if (!parsed.searchParams.has("heartbeat")) parsed.searchParams.set("heartbeat", String(HEARTBEAT_SECONDS));
  return parsed.toString();
}
