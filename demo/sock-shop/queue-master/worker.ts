/**
 * Takes shipments from the queue, a few at a time, and acknowledges each when its work is done: one that was in hand when the process or the connection
 * died is delivered again, to this worker or another. What can't be read is set aside (rejected without requeue), never retried for ever.
 */
import { createLogLine } from "@sock-shop/kit";
import { type Channel, type ConsumeMessage, keepQueueLink } from "@sock-shop/kit/amqp";

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

const AGAIN_AFTER_MS = 1000;

export function startWorker({ url, queue, log, ship, prefetch, retry }: WorkerOptions): Worker {
  const counts = { shipped: 0, failed: 0, unreadable: 0 };
  const inHand = new Set<Promise<void>>();
  let stopConsuming: (() => Promise<unknown>) | undefined;
  let isClosing = false;

  const work = async (from: Channel, message: ConsumeMessage) => {
    const shipment = readShipment(message.content);
    if (shipment === undefined) {
      counts.unreadable += 1;
      log(createLogLine("error", "a task that is no shipment was set aside", { bytes: message.content.length }));
      if (link.channel() === from) from.reject(message, false);
      return;
    }
    try {
      await ship(shipment, message.fields.redelivered);
      counts.shipped += 1;
      // Over another channel it would mean another message; the broker gives this one out again.
      if (link.channel() === from) from.ack(message);
    } catch (error) {
      counts.failed += 1;
      log(
        createLogLine("warn", "a shipment failed and goes back to the queue", { id: shipment.id, why: String(error) }),
      );
      await new Promise((resolve) => setTimeout(resolve, isClosing ? 0 : AGAIN_AFTER_MS));
      if (link.channel() === from) from.nack(message, false, true);
    }
  };
  const link = keepQueueLink({
    url,
    queue,
    log,
    ...(retry === undefined ? {} : { retry }),
    createChannel: (connection) => connection.createChannel(),
    async onReady(channel) {
      await channel.prefetch(prefetch ?? 10);
      const { consumerTag } = await channel.consume(queue, (message) => {
        // Null: the queue was deleted. It is declared again with the next connection.
        if (message === null) return link.renew(channel);
        const task = work(channel, message).finally(() => inHand.delete(task));
        inHand.add(task);
        return undefined;
      });
      stopConsuming = () => channel.cancel(consumerTag).then(undefined, () => undefined);
    },
  });

  return {
    isConnected: () => link.channel() !== undefined,
    counts: () => ({ ...counts }),
    async close(patienceMs = 5000) {
      isClosing = true;
      if (link.channel() !== undefined) await stopConsuming?.();
      let deadline: NodeJS.Timeout | undefined;
      const patience = new Promise<void>((resolve) => {
        deadline = setTimeout(resolve, patienceMs);
      });
      await Promise.race([Promise.all(inHand), patience]);
      clearTimeout(deadline);
      await link.close();
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
