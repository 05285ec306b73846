/**
 * Shipments on their way to the queue. A shipment that was accepted is kept until the broker has confirmed it, over lost connections and brokers that come late;
 * so it is published at least once, in the order of acceptance per connection. What is not confirmed when the process ends is lost: there is no disk here.
 */
import { createLogLine } from "@sock-shop/kit";
import { type ChannelModel, type ConfirmChannel, connect } from "amqplib";

export interface OutboxOptions {
  readonly url: string;
  readonly queue: string;
  readonly log: (line: string) => void;
  /** Accepted and not confirmed at most; then `accept` says no. */
  readonly capacity?: number;
  readonly retry?: { readonly minMs: number; readonly maxMs: number };
}

export interface Outbox {
  /** False when it is full. */
  accept(message: OutboundMessage): boolean;
  isConnected(): boolean;
  /** Accepted and not confirmed yet. */
  pending(): number;
  /** Waits up to `patienceMs` for confirms, then ends the connection. */
  close(patienceMs?: number): Promise<void>;
}

export interface OutboundMessage {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

const DEFAULT_CAPACITY = 100_000;
const DEFAULT_RETRY = { minMs: 100, maxMs: 5000 };
const HEARTBEAT_SECONDS = 10;
const CONNECT_TIMEOUT_MS = 5000;

export function openOutbox({ url, queue, log, capacity, retry }: OutboxOptions): Outbox {
  const limits = retry ?? DEFAULT_RETRY;
  const waiting = new Set<OutboundMessage>();
  const drained = new Set<() => void>();
  let connection: ChannelModel | undefined;
  let channel: ConfirmChannel | undefined;
  let isClosing = false;
  let delayMs = limits.minMs;
  let timer: NodeJS.Timeout | undefined;

  const abandon = () => {
    channel = undefined;
    connection?.close().then(undefined, () => undefined);
  };
  const send = (to: ConfirmChannel, message: OutboundMessage) => {
    const { body, headers } = message;
    to.sendToQueue(queue, body, { persistent: true, contentType: "application/json", headers }, (error) => {
      if (error !== null && error !== undefined) {
        // Refused by the broker, or the channel is gone: it stays and goes again over the next connection.
        if (channel === to) abandon();
        return;
      }
      waiting.delete(message);
      if (waiting.size === 0) for (const wake of drained) wake();
    });
  };
  const lost = (why: string) => {
    connection = undefined;
    channel = undefined;
    if (isClosing || timer !== undefined) return;
    log(createLogLine("warn", "no connection to the queue", { why, retryMs: delayMs, pending: waiting.size }));
    timer = setTimeout(open, delayMs);
    delayMs = Math.min(limits.maxMs, delayMs * 2);
  };
  const open = () => {
    timer = undefined;
    establish().catch((error: unknown) => lost(String(error)));
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
      const fresh = await next.createConfirmChannel();
      fresh.on("error", remember);
      fresh.on("close", () => {
        if (channel === fresh) abandon();
      });
      await fresh.assertQueue(queue, { durable: true });
      channel = fresh;
      delayMs = limits.minMs;
      log(createLogLine("info", "connected to the queue", { queue, pending: waiting.size }));
      // Whatever is not confirmed goes now, in the order of acceptance.
      for (const message of waiting) send(fresh, message);
    } catch (error) {
      next.close().then(undefined, () => undefined);
      throw error;
    }
    return undefined;
  };
  open();

  return {
    accept(message) {
      if (isClosing || waiting.size >= (capacity ?? DEFAULT_CAPACITY)) return false;
      waiting.add(message);
      if (channel !== undefined) send(channel, message);
      return true;
    },
    isConnected: () => channel !== undefined,
    pending: () => waiting.size,
    async close(patienceMs = 2000) {
      if (waiting.size > 0 && channel !== undefined) {
        await new Promise<void>((resolve) => {
          const deadline = setTimeout(resolve, patienceMs);
          drained.add(() => {
            clearTimeout(deadline);
            resolve();
          });
        });
      }
      isClosing = true;
      clearTimeout(timer);
      if (waiting.size > 0) log(createLogLine("error", "shipments were not confirmed", { lost: waiting.size }));
      const last = connection;
      connection = undefined;
      channel = undefined;
      await last?.close();
    },
  };
}

function withHeartbeat(url: string): string {
  const parsed = new URL(url);
  if (!parsed.searchParams.has("heartbeat")) parsed.searchParams.set("heartbeat", String(HEARTBEAT_SECONDS));
  return parsed.toString();
}
