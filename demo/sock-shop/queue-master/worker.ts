/**
 * Takes shipments from the queue, a few at a time, and acknowledges each when its work is done: one that was in hand when the process or the connection
 * died is delivered again, to this worker or another. What can't be read is set aside (rejected without requeue), never retried for ever.
 */
import { createLogLine } from "@sock-shop/kit";
import { type Channel, type ChannelModel, type ConsumeMessage, connect } from "amqplib";

export interface Shipment {
  readonly id: string;
  readonly name: string;
}

export interface WorkerOptions {
  readonly url: string;
  readonly queue: string;
  readonly log: (line: string) => void;
  /** A failure puts the shipment back. */
  readonly ship: (shipment: Shipment, redelivered: boolean) => Promise<void>;
  readonly prefetch?: number;
  readonly retry?: { readonly minMs: number; readonly maxMs: number };
}

export interface Worker {
  isConnected(): boolean;
  counts(): { readonly shipped: number; readonly failed: number; readonly unreadable: number };
  /** Takes no more, waits up to `patienceMs` for what is in hand, then ends the connection: what is not done comes again. */
  close(patienceMs?: number): Promise<void>;
}

const DEFAULT_RETRY = { minMs: 100, maxMs: 5000 };
const HEARTBEAT_SECONDS = 10;
const CONNECT_TIMEOUT_MS = 5000;
const AGAIN_AFTER_MS = 1000;

export function startWorker({ url, queue, log, ship, prefetch, retry }: WorkerOptions): Worker {
  const limits = retry ?? DEFAULT_RETRY;
  const counts = { shipped: 0, failed: 0, unreadable: 0 };
  const inHand = new Set<Promise<void>>();
  let connection: ChannelModel | undefined;
  let channel: Channel | undefined;
  let stopConsuming: (() => Promise<unknown>) | undefined;
  let isClosing = false;
  let delayMs = limits.minMs;
  let timer: NodeJS.Timeout | undefined;

  const work = async (from: Channel, message: ConsumeMessage) => {
    const shipment = readShipment(message.content);
    if (shipment === undefined) {
      counts.unreadable += 1;
      log(createLogLine("error", "a task that is no shipment was set aside", { bytes: message.content.length }));
      if (channel === from) from.reject(message, false);
      return;
    }
    try {
      await ship(shipment, message.fields.redelivered);
      counts.shipped += 1;
      // Over another channel it would mean another message; the broker gives this one out again.
      if (channel === from) from.ack(message);
    } catch (error) {
      counts.failed += 1;
      log(
        createLogLine("warn", "a shipment failed and goes back to the queue", { id: shipment.id, why: String(error) }),
      );
      await new Promise((resolve) => setTimeout(resolve, isClosing ? 0 : AGAIN_AFTER_MS));
      if (channel === from) from.nack(message, false, true);
    }
  };
  const lost = (why: string) => {
    connection = undefined;
    channel = undefined;
    stopConsuming = undefined;
    if (isClosing || timer !== undefined) return;
    log(createLogLine("warn", "no connection to the queue", { why, retryMs: delayMs }));
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
    const restart = () => {
      channel = undefined;
      next.close().then(undefined, () => undefined);
    };
    try {
      const fresh = await next.createChannel();
      fresh.on("error", remember);
      fresh.on("close", () => {
        if (channel === fresh) restart();
      });
      await fresh.prefetch(prefetch ?? 10);
      await fresh.assertQueue(queue, { durable: true });
      channel = fresh;
      const { consumerTag } = await fresh.consume(queue, (message) => {
        // Null: the queue was deleted. It is declared again with the next connection.
        if (message === null) return restart();
        const task = work(fresh, message).finally(() => inHand.delete(task));
        inHand.add(task);
        return undefined;
      });
      stopConsuming = () => fresh.cancel(consumerTag).then(undefined, () => undefined);
    } catch (error) {
      next.close().then(undefined, () => undefined);
      throw error;
    }
    delayMs = limits.minMs;
    log(createLogLine("info", "waits for shipments", { queue }));
    return undefined;
  };
  open();

  return {
    isConnected: () => channel !== undefined,
    counts: () => ({ ...counts }),
    async close(patienceMs = 5000) {
      isClosing = true;
      clearTimeout(timer);
      await stopConsuming?.();
      let deadline: NodeJS.Timeout | undefined;
      const patience = new Promise<void>((resolve) => {
        deadline = setTimeout(resolve, patienceMs);
      });
      await Promise.race([Promise.all(inHand), patience]);
      clearTimeout(deadline);
      const last = connection;
      connection = undefined;
      // What was acknowledged is on its way before the connection's last words.
      await last?.close();
      channel = undefined;
    },
  };
}

function readShipment(content: Buffer): Shipment | undefined {
  try {
    const value: unknown = JSON.parse(content.toString("utf8"));
    if (typeof value !== "object" || value === null) return undefined;
    const { id, name } = value as Readonly<Record<string, unknown>>;
    return typeof id === "string" && typeof name === "string" ? { id, name } : undefined;
  } catch {
    return undefined;
  }
}

function withHeartbeat(url: string): string {
  const parsed = new URL(url);
  if (!parsed.searchParams.has("heartbeat")) parsed.searchParams.set("heartbeat", String(HEARTBEAT_SECONDS));
  return parsed.toString();
}
