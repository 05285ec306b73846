/** What a broker with a volume writes down: durable exchanges, queues and bindings, and persistent messages in durable queues. */
import type { Table } from "../amqp/values.ts";
import type { Binding, ExchangeType } from "./exchange.ts";
import type { Message } from "./queue.ts";

/** What there is again after a restart. */
export type KeptRecord =
  | {
      readonly kind: "exchange";
      readonly name: string;
      readonly type: ExchangeType;
      readonly autoDelete: boolean;
      readonly internal: boolean;
      readonly args: Table;
    }
  | { readonly kind: "queue"; readonly name: string; readonly autoDelete: boolean; readonly args: Table }
  | { readonly kind: "bound"; readonly binding: Binding }
  | {
      readonly kind: "message";
      readonly queue: string;
      readonly sequence: number;
      readonly expiresAtMs: number | undefined;
      readonly message: Message;
      /** Somebody had it. */
      readonly redelivered: boolean;
    };

export type JournalRecord =
  | KeptRecord
  | { readonly kind: "exchange-deleted"; readonly name: string }
  | { readonly kind: "queue-deleted"; readonly name: string }
  | { readonly kind: "unbound"; readonly binding: Binding }
  | { readonly kind: "delivered"; readonly queue: string; readonly sequence: number }
  | { readonly kind: "removed"; readonly queue: string; readonly sequence: number };
