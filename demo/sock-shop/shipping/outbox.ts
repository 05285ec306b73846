/**
 * Shipments on their way to the queue. A shipment that was accepted is kept until the broker has confirmed it, over lost connections and brokers that come late;
 * so it is published at least once, in the order of acceptance per connection. What is not confirmed when the process ends is lost: there is no disk here.
 */
import { createLogLine } from "@sock-shop/kit";
import { type ConfirmChannel, keepQueueLink } from "@sock-shop/kit/amqp";

export interface OutboxOptions {
  readonly url: string;
  readonly queue: string;
  readonly log: (line: string) => void;
  /** Accepted and not confirmed at most; then `accept` says no. */
  readonly capacity?: number;
  readonly retry?: { readonly minMs: number; readonly maxMs: number };
  /** How long `accept` waits for a broker that is there to confirm. */
  readonly confirmWithinMs?: number;
}

export interface Outbox {
  /**
   * False when it is full. With a broker it waits for the confirm, so that a shipment that was answered for is lost with neither of the two; without one, or
   * when that takes too long, the shipment waits here.
   */
  accept(message: OutboundMessage): Promise<boolean>;
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
const DEFAULT_CONFIRM_MS = 1000;

export function openOutbox({ url, queue, log, capacity, retry, confirmWithinMs }: OutboxOptions): Outbox {
  /** To who waits for the confirm. */
  const waiting = new Map<OutboundMessage, () => void>();
  const drained = new Set<() => void>();
  let isClosing = false;

  const send = (to: ConfirmChannel, message: OutboundMessage) => {
    const { body, headers } = message;
    to.sendToQueue(queue, body, { persistent: true, contentType: "application/json", headers }, (error) => {
      // Refused by the broker, or the channel is gone: it stays and goes again over the next connection.
      if (error !== null && error !== undefined) return link.renew(to);
      waiting.get(message)?.();
      waiting.delete(message);
      if (waiting.size === 0) for (const wake of drained) wake();
      return undefined;
    });
  };
  const link = keepQueueLink({
    url,
    queue,
    log,
    ...(retry === undefined ? {} : { retry }),
    createChannel: (connection) => connection.createConfirmChannel(),
    // Whatever is not confirmed goes now, in the order of acceptance.
    onReady(channel) {
      for (const message of waiting.keys()) send(channel, message);
    },
  });

  return {
    accept(message) {
      if (isClosing || waiting.size >= (capacity ?? DEFAULT_CAPACITY)) return Promise.resolve(false);
      return new Promise((resolve) => {
        const channel = link.channel();
        const patience = setTimeout(
          () => resolve(true),
          channel === undefined ? 0 : (confirmWithinMs ?? DEFAULT_CONFIRM_MS),
        );
        waiting.set(message, () => {
          clearTimeout(patience);
          resolve(true);
        });
        if (channel !== undefined) send(channel, message);
      });
    },
    isConnected: () => link.channel() !== undefined,
    pending: () => waiting.size,
    async close(patienceMs = 2000) {
      if (waiting.size > 0 && link.channel() !== undefined) {
        await new Promise<void>((resolve) => {
          const deadline = setTimeout(resolve, patienceMs);
          drained.add(() => {
            clearTimeout(deadline);
            resolve();
          });
        });
      }
      isClosing = true;
      if (waiting.size > 0) log(createLogLine("error", "shipments were not confirmed", { lost: waiting.size }));
      await link.close();
    },
  };
}
