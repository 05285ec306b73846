/** What a message looks like when it has left a queue unconsumed: the x-death header tells its story. https://www.rabbitmq.com/docs/dlx */
import { decodeProperties, encodeProperties } from "../amqp/properties.ts";
import { integerOf, type Table, text, textOf, type Value } from "../amqp/values.ts";
import type { DropReason, Message, Queue } from "./queue.ts";

export function buildDeadLetter(message: Message, queue: Queue, reason: DropReason, nowMs: number): Message {
  const { expiration, ...properties } = decodeProperties(message.properties);
  const headers = new Map(properties.headers ?? []);
  const deaths = deathsOf(headers);
  const isSame = (death: Table) => textOf(death.get("queue")) === queue.name && textOf(death.get("reason")) === reason;
  const earlier = deaths.find(isSame);
  const death = new Map<string, Value>(
    earlier ?? [
      ["count", { type: "l", value: 0n }],
      ["exchange", text(message.exchange)],
      ["queue", text(queue.name)],
      ["reason", text(reason)],
      ["routing-keys", { type: "A", value: [text(message.routingKey)] }],
      ["time", { type: "T", value: BigInt(Math.floor(nowMs / 1000)) }],
    ],
  );
  death.set("count", { type: "l", value: BigInt((integerOf(death.get("count")) ?? 0) + 1) });
  if (expiration !== undefined && earlier === undefined) death.set("original-expiration", text(expiration));
  const story: Value[] = [death, ...deaths.filter((each) => !isSame(each))].map((value) => ({ type: "F", value }));
  headers.set("x-death", { type: "A", value: story });
  if (!headers.has("x-first-death-reason")) {
    headers.set("x-first-death-reason", text(reason));
    headers.set("x-first-death-queue", text(queue.name));
    headers.set("x-first-death-exchange", text(message.exchange));
  }
  return {
    exchange: queue.deadLetterExchange ?? "",
    routingKey: queue.deadLetterRoutingKey ?? message.routingKey,
    properties: encodeProperties({ ...properties, headers }),
    body: message.body,
    persistent: message.persistent,
    headers,
  };
}

/** A message that has been in the queue before and was never rejected since would go round for ever. */
export function isCycle(message: Message, queue: string): boolean {
  const deaths = deathsOf(message.headers);
  const wasHere = deaths.some((death) => textOf(death.get("queue")) === queue);
  return wasHere && deaths.every((death) => textOf(death.get("reason")) !== "rejected");
}

function deathsOf(headers: Table): readonly Table[] {
  const story = headers.get("x-death");
  return story?.type === "A" ? story.value.flatMap((each) => (each.type === "F" ? [each.value] : [])) : [];
}
