/**
 * One channel: what each method means. Deliveries are numbered; what is not acknowledged when the channel ends goes back to its queue, marked redelivered.
 * Confirms are collected and sent when the bytes at hand are worked through, after any return.
 */

import type { Arguments, Method } from "../amqp/methods.ts";
import { decodeProperties, PERSISTENT } from "../amqp/properties.ts";
import { readExpiration } from "./arguments.ts";
import type { Broker } from "./broker.ts";
import { createDeliveries, type Delivery, requeue } from "./deliveries.ts";
import type { Destination } from "./exchange.ts";
import { Failure } from "./failure.ts";
import type { Consumer, Message, Queue } from "./queue.ts";

export interface ChannelDeps {
  readonly broker: Broker;
  /** Identity of the connection: owner of exclusive queues. */
  readonly owner: object;
  readonly name: string;
  readonly user: string;
  readonly wantsCancelNotice: boolean;
  send(method: Method): void;
  sendContent(method: Method, properties: Buffer, body: Buffer): void;
  isWritable(): boolean;
  newName(prefix: string): string;
}

export interface Channel {
  readonly name: string;
  readonly consumers: ReadonlyMap<string, { readonly consumer: Consumer; readonly queue: Queue }>;
  readonly unackedCount: number;
  readonly prefetch: number;
  readonly confirms: boolean;
  handle(method: Method): void;
  publish(args: Arguments<"basic.publish">, properties: Buffer, body: Buffer): void;
  /** Sends the confirms of what was published since the last call. */
  flush(): void;
  /** Its client reads again. */
  resume(): void;
  close(): void;
}

const NO_ROUTE = 312;

export function createChannel(deps: ChannelDeps): Channel {
  const { broker, owner, send } = deps;
  const consumers = new Map<string, { readonly consumer: Consumer; readonly queue: Queue }>();
  const unacked = createDeliveries();
  let prefetch = 0;
  let channelPrefetch = 0;
  let confirms = false;
  let published = 0;
  let confirmed = 0;
  let lastQueue: string | undefined;

  const queueName = (name: string): string => {
    if (name !== "") return name;
    if (lastQueue === undefined) throw new Failure("NOT_FOUND", "no previously declared queue");
    return lastQueue;
  };
  const queueOf = (name: string) => broker.queue(queueName(name), owner);
  const dispatchFor = (deliveries: readonly Delivery[]) => {
    const queues = new Set(deliveries.map((delivery) => delivery.queue));
    if (channelPrefetch > 0) for (const { queue } of consumers.values()) queues.add(queue);
    for (const queue of queues) queue.dispatch();
  };
  const acknowledge = (tag: number, multiple: boolean) => {
    const settled = unacked.settle(tag, multiple);
    for (const { queue, entry } of settled) queue.acknowledge(entry);
    dispatchFor(settled);
  };
  const refuse = (tag: number, multiple: boolean, putBack: boolean) => {
    const settled = unacked.settle(tag, multiple);
    if (putBack) requeue(settled);
    else for (const { queue, entry } of settled) queue.reject(entry);
    dispatchFor(settled);
  };
  const flush = () => {
    if (confirmed === published) return;
    broker.totals.confirm += published - confirmed;
    send({ name: "basic.ack", args: { deliveryTag: published, multiple: published - confirmed > 1 } });
    confirmed = published;
  };

  const consume = (args: Arguments<"basic.consume">) => {
    const queue = queueOf(args.queue);
    const tag = args.consumerTag === "" ? deps.newName("amq.ctag-") : args.consumerTag;
    if (consumers.has(tag)) throw new Failure("NOT_ALLOWED", `attempt to reuse consumer tag '${tag}'`);
    if (queue.consumers.some((each) => each.exclusive) || (args.exclusive && queue.consumers.length > 0))
      throw new Failure("ACCESS_REFUSED", `queue '${queue.name}' in vhost '/' in exclusive use`);
    const slot = { unacked: 0 };
    const limit = prefetch;
    const consumer: Consumer = {
      tag,
      channelName: deps.name,
      noAck: args.noAck,
      exclusive: args.exclusive,
      args: args.arguments,
      prefetch: limit,
      canTake: () =>
        deps.isWritable() &&
        (args.noAck ||
          ((limit === 0 || slot.unacked < limit) && (channelPrefetch === 0 || unacked.size < channelPrefetch))),
      deliver(entry) {
        const { message, redelivered } = entry;
        const deliveryTag = unacked.number({ queue, entry, slot }, args.noAck);
        const { exchange, routingKey } = message;
        deps.sendContent(
          { name: "basic.deliver", args: { consumerTag: tag, deliveryTag, redelivered, exchange, routingKey } },
          message.properties,
          message.body,
        );
      },
      cancelled() {
        consumers.delete(tag);
        if (deps.wantsCancelNotice) send({ name: "basic.cancel", args: { consumerTag: tag, noWait: true } });
      },
    };
    consumers.set(tag, { consumer, queue });
    if (!args.noWait) send({ name: "basic.consume-ok", args: { consumerTag: tag } });
    queue.consume(consumer);
  };
  const cancel = (tag: string) => {
    const found = consumers.get(tag);
    consumers.delete(tag);
    if (found?.queue.cancel(found.consumer) === true) broker.consumerLeft(found.queue);
  };
  const get = ({ queue: name, noAck }: Arguments<"basic.get">) => {
    const queue = queueOf(name);
    const entry = queue.get(noAck);
    if (entry === undefined) return send({ name: "basic.get-empty", args: { reserved: "" } });
    const { message, redelivered } = entry;
    const { exchange, routingKey } = message;
    const deliveryTag = unacked.number({ queue, entry, slot: undefined }, noAck);
    const args = { deliveryTag, redelivered, exchange, routingKey, messageCount: queue.readyCount };
    return deps.sendContent({ name: "basic.get-ok", args }, message.properties, message.body);
  };
  const declareQueue = (args: Arguments<"queue.declare">) => {
    const name = args.queue === "" ? (args.passive ? queueName("") : deps.newName("amq.gen-")) : args.queue;
    const queue = broker.declareQueue({ ...args, queue: name }, owner);
    lastQueue = name;
    const counts = { messageCount: queue.readyCount, consumerCount: queue.consumers.length };
    if (!args.noWait) send({ name: "queue.declare-ok", args: { queue: name, ...counts } });
  };
  const deleteQueue = (args: Arguments<"queue.delete">) => {
    const name = queueName(args.queue);
    const queue = broker.queues.has(name) ? broker.queue(name, owner) : undefined;
    if (args.ifUnused && queue !== undefined && queue.consumers.length > 0)
      throw new Failure("PRECONDITION_FAILED", `queue '${name}' in vhost '/' in use`);
    if (args.ifEmpty && queue !== undefined && queue.readyCount > 0)
      throw new Failure("PRECONDITION_FAILED", `queue '${name}' in vhost '/' not empty`);
    const messageCount = queue?.readyCount ?? 0;
    if (queue !== undefined) broker.deleteQueue(queue);
    if (!args.noWait) send({ name: "queue.delete-ok", args: { messageCount } });
  };
  const queueBinding = (args: Arguments<"queue.bind"> | Arguments<"queue.unbind">) => {
    const name = queueOf(args.queue).name;
    const routingKey = args.queue === "" && args.routingKey === "" ? name : args.routingKey;
    const destination: Destination = { kind: "queue", name };
    return { source: args.exchange, destination, routingKey, args: args.arguments };
  };
  const exchangeBinding = (args: Arguments<"exchange.bind">) => {
    const destination: Destination = { kind: "exchange", name: args.destination };
    return { source: args.source, destination, routingKey: args.routingKey, args: args.arguments };
  };

  return {
    name: deps.name,
    consumers,
    flush,
    get unackedCount() {
      return unacked.size;
    },
    get prefetch() {
      return prefetch;
    },
    get confirms() {
      return confirms;
    },
    handle(method) {
      switch (method.name) {
        case "channel.flow":
          if (!method.args.active) throw new Failure("NOT_IMPLEMENTED", "active=false");
          return send({ name: "channel.flow-ok", args: { active: true } });
        case "exchange.declare":
          broker.declareExchange(method.args);
          if (!method.args.noWait) send({ name: "exchange.declare-ok", args: {} });
          return;
        case "exchange.delete":
          broker.deleteExchange(method.args.exchange, method.args.ifUnused);
          if (!method.args.noWait) send({ name: "exchange.delete-ok", args: {} });
          return;
        case "exchange.bind":
          broker.bind(exchangeBinding(method.args));
          if (!method.args.noWait) send({ name: "exchange.bind-ok", args: {} });
          return;
        case "exchange.unbind":
          broker.unbind(exchangeBinding(method.args));
          if (!method.args.noWait) send({ name: "exchange.unbind-ok", args: {} });
          return;
        case "queue.declare":
          return declareQueue(method.args);
        case "queue.bind":
          broker.bind(queueBinding(method.args));
          if (!method.args.noWait) send({ name: "queue.bind-ok", args: {} });
          return;
        case "queue.unbind":
          broker.unbind(queueBinding(method.args));
          return send({ name: "queue.unbind-ok", args: {} });
        case "queue.purge": {
          const messageCount = queueOf(method.args.queue).purge();
          if (!method.args.noWait) send({ name: "queue.purge-ok", args: { messageCount } });
          return;
        }
        case "queue.delete":
          return deleteQueue(method.args);
        case "basic.qos":
          if (method.args.prefetchSize !== 0)
            throw new Failure("NOT_IMPLEMENTED", `prefetch_size!=0 (${method.args.prefetchSize})`);
          if (method.args.global) channelPrefetch = method.args.prefetchCount;
          else prefetch = method.args.prefetchCount;
          send({ name: "basic.qos-ok", args: {} });
          return dispatchFor([]);
        case "basic.consume":
          return consume(method.args);
        case "basic.cancel":
          cancel(method.args.consumerTag);
          if (!method.args.noWait) send({ name: "basic.cancel-ok", args: { consumerTag: method.args.consumerTag } });
          return;
        case "basic.get":
          return get(method.args);
        case "basic.ack":
          return acknowledge(method.args.deliveryTag, method.args.multiple);
        case "basic.nack":
          return refuse(method.args.deliveryTag, method.args.multiple, method.args.requeue);
        case "basic.reject":
          return refuse(method.args.deliveryTag, false, method.args.requeue);
        case "basic.recover":
        case "basic.recover-async":
          if (!method.args.requeue) throw new Failure("NOT_IMPLEMENTED", "requeue=false");
          if (method.name === "basic.recover") send({ name: "basic.recover-ok", args: {} });
          return requeue(unacked.settle(0, true));
        case "confirm.select":
          confirms = true;
          if (!method.args.noWait) send({ name: "confirm.select-ok", args: {} });
          return;
        case "tx.select":
        case "tx.commit":
        case "tx.rollback":
          throw new Failure("NOT_IMPLEMENTED", `${method.name}: use publisher confirms`);
        default:
          throw new Failure("COMMAND_INVALID", `unexpected method ${method.name}`);
      }
    },
    publish(args, propertyBytes, body) {
      if (args.immediate) throw new Failure("NOT_IMPLEMENTED", "immediate=true");
      const properties = decodeProperties(propertyBytes);
      if (properties.userId !== undefined && properties.userId !== deps.user)
        throw new Failure(
          "PRECONDITION_FAILED",
          `user_id property set to '${properties.userId}' but authenticated user was '${deps.user}'`,
        );
      const ttlMs = readExpiration(properties.expiration);
      const message: Message = {
        exchange: args.exchange,
        routingKey: args.routingKey,
        properties: propertyBytes,
        body,
        persistent: properties.deliveryMode === PERSISTENT,
        headers: properties.headers ?? new Map(),
        ...(ttlMs === undefined ? {} : { ttlMs }),
      };
      const outcome = broker.publish(message);
      if (args.mandatory && outcome.queues === 0) {
        broker.totals.returnUnroutable += 1;
        const { exchange, routingKey } = args;
        deps.sendContent(
          { name: "basic.return", args: { code: NO_ROUTE, text: "NO_ROUTE", exchange, routingKey } },
          propertyBytes,
          body,
        );
      }
      if (!confirms) return;
      if (outcome.refused) {
        flush();
        confirmed += 1;
        send({ name: "basic.nack", args: { deliveryTag: confirmed, multiple: false, requeue: false } });
      }
      published += 1;
    },
    resume() {
      for (const { queue } of [...consumers.values()]) queue.dispatch();
    },
    close() {
      const left = [...consumers.values()];
      consumers.clear();
      for (const { queue, consumer } of left) queue.cancel(consumer);
      requeue(unacked.settle(0, true));
      for (const { queue } of left) broker.consumerLeft(queue);
    },
  };
}
