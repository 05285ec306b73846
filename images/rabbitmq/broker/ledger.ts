/** The sum of all journal records: what a broker that starts with it must have. Pure. */
import { type Binding, isSameBinding } from "./exchange.ts";
import type { JournalRecord, KeptRecord } from "./journal-record.ts";

type Of<K extends KeptRecord["kind"]> = Extract<KeptRecord, { readonly kind: K }>;

export interface Ledger {
  apply(record: JournalRecord): void;
  /** In an order in which they can be restored: exchanges, queues, bindings, messages in order of arrival. */
  kept(): readonly KeptRecord[];
}

export function createLedger(): Ledger {
  const exchanges = new Map<string, Of<"exchange">>();
  const queues = new Map<string, Of<"queue">>();
  const messages = new Map<string, Map<number, Of<"message">>>();
  let bindings: Binding[] = [];
  return {
    apply(record) {
      switch (record.kind) {
        case "exchange":
          exchanges.set(record.name, record);
          return;
        case "exchange-deleted":
          exchanges.delete(record.name);
          bindings = bindings.filter(
            ({ source, destination: { kind, name } }) =>
              source !== record.name && !(kind === "exchange" && name === record.name),
          );
          return;
        case "queue":
          queues.set(record.name, record);
          return;
        case "queue-deleted":
          queues.delete(record.name);
          messages.delete(record.name);
          bindings = bindings.filter(({ destination: { kind, name } }) => !(kind === "queue" && name === record.name));
          return;
        case "bound":
          bindings.push(record.binding);
          return;
        case "unbound":
          bindings = bindings.filter((binding) => !isSameBinding(binding, record.binding));
          return;
        case "message": {
          const queue = messages.get(record.queue) ?? new Map<number, Of<"message">>();
          messages.set(record.queue, queue);
          queue.set(record.sequence, record);
          return;
        }
        case "delivered": {
          const queue = messages.get(record.queue);
          const message = queue?.get(record.sequence);
          if (message !== undefined) queue?.set(record.sequence, { ...message, redelivered: true });
          return;
        }
        case "removed":
          messages.get(record.queue)?.delete(record.sequence);
      }
    },
    kept() {
      const ordered = [...messages.values()].flatMap((queue) => [...queue.values()]);
      return [
        ...exchanges.values(),
        ...queues.values(),
        ...bindings.map((binding): KeptRecord => ({ kind: "bound", binding })),
        ...ordered.sort((a, b) => a.sequence - b.sequence),
      ];
    },
  };
}
