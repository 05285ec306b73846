/** The broker's state in the form of RabbitMQ's management API. Pure but for the process's own memory and clock. */
import { plainTable } from "./amqp/values.ts";
import type { Queue } from "./broker/queue.ts";
import { PRODUCT, type RabbitServer } from "./server.ts";

export function overview(rabbit: RabbitServer, node: string): object {
  const queues = [...rabbit.broker.queues.values()];
  const sum = (value: (queue: Queue) => number) => queues.reduce((total, queue) => total + value(queue), 0);
  const channels = rabbit.connections().reduce((total, connection) => total + connection.channels.size, 0);
  const { publish, confirm, returnUnroutable } = rabbit.broker.totals;
  return {
    management_version: PRODUCT.version,
    rabbitmq_version: PRODUCT.version,
    product_name: PRODUCT.name,
    product_version: PRODUCT.version,
    erlang_version: "none",
    cluster_name: node,
    node,
    rates_mode: "none",
    object_totals: {
      channels,
      connections: rabbit.connections().length,
      consumers: sum((queue) => queue.consumers.length),
      exchanges: rabbit.broker.exchanges.size,
      queues: queues.length,
    },
    queue_totals: {
      messages: sum((queue) => queue.readyCount + queue.unackedCount),
      messages_ready: sum((queue) => queue.readyCount),
      messages_unacknowledged: sum((queue) => queue.unackedCount),
    },
    message_stats: {
      publish,
      confirm,
      return_unroutable: returnUnroutable,
      deliver: sum((queue) => queue.stats.deliver),
      deliver_no_ack: sum((queue) => queue.stats.deliverNoAck),
      get: sum((queue) => queue.stats.get),
      get_no_ack: sum((queue) => queue.stats.getNoAck),
      deliver_get: sum(deliverGet),
      redeliver: sum((queue) => queue.stats.redeliver),
      ack: sum((queue) => queue.stats.ack),
    },
    listeners: [{ node, protocol: "amqp", port: 5672 }],
  };
}

export function queueViews(rabbit: RabbitServer, node: string): readonly object[] {
  return [...rabbit.broker.queues.values()].map((queue) => {
    const persistent = queue.entries().filter((entry) => entry.message.persistent);
    const bytes = queue.readyBytes + queue.unackedBytes;
    return {
      name: queue.name,
      vhost: "/",
      node,
      type: "classic",
      state: "running",
      durable: queue.durable,
      auto_delete: queue.autoDelete,
      exclusive: queue.owner !== undefined,
      arguments: plainTable(queue.args),
      consumers: queue.consumers.length,
      messages: queue.readyCount + queue.unackedCount,
      messages_ready: queue.readyCount,
      messages_unacknowledged: queue.unackedCount,
      messages_ram: queue.readyCount + queue.unackedCount,
      messages_ready_ram: queue.readyCount,
      messages_unacknowledged_ram: queue.unackedCount,
      messages_persistent: persistent.length,
      message_bytes: bytes,
      message_bytes_ready: queue.readyBytes,
      message_bytes_unacknowledged: queue.unackedBytes,
      message_bytes_ram: bytes,
      message_bytes_persistent: persistent.reduce((total, entry) => total + entry.message.body.length, 0),
      message_stats: {
        publish: queue.stats.publish,
        deliver: queue.stats.deliver,
        deliver_no_ack: queue.stats.deliverNoAck,
        get: queue.stats.get,
        get_no_ack: queue.stats.getNoAck,
        deliver_get: deliverGet(queue),
        redeliver: queue.stats.redeliver,
        ack: queue.stats.ack,
      },
    };
  });
}

function deliverGet({ stats }: Queue): number {
  return stats.deliver + stats.deliverNoAck + stats.get + stats.getNoAck;
}

export function exchangeViews(rabbit: RabbitServer): readonly object[] {
  return [...rabbit.broker.exchanges.values()].map((exchange) => ({
    name: exchange.name,
    vhost: "/",
    type: exchange.type,
    durable: exchange.durable,
    auto_delete: exchange.autoDelete,
    internal: exchange.internal,
    arguments: plainTable(exchange.args),
    message_stats: { publish_in: exchange.publishedIn, publish_out: exchange.publishedOut },
  }));
}

export function bindingViews(rabbit: RabbitServer): readonly object[] {
  return [...rabbit.broker.exchanges.values()].flatMap((exchange) =>
    exchange.bindings.map((binding) => ({
      source: binding.source,
      vhost: "/",
      destination: binding.destination.name,
      destination_type: binding.destination.kind,
      routing_key: binding.routingKey,
      arguments: plainTable(binding.args),
    })),
  );
}

export function connectionViews(rabbit: RabbitServer, node: string): readonly object[] {
  return rabbit.connections().map((connection) => ({
    name: connection.name,
    node,
    vhost: "/",
    user: connection.user,
    state: connection.state === "open" ? "running" : connection.state,
    channels: connection.channels.size,
    protocol: "AMQP 0-9-1",
    connected_at: connection.connectedAtMs,
    client_properties: plainTable(connection.clientProperties),
  }));
}

export function channelViews(rabbit: RabbitServer, node: string): readonly object[] {
  return rabbit.connections().flatMap((connection) =>
    [...connection.channels].map(([number, channel]) => ({
      name: channel.name,
      number,
      node,
      vhost: "/",
      user: connection.user,
      state: "running",
      confirm: channel.confirms,
      prefetch_count: channel.prefetch,
      consumer_count: channel.consumers.size,
      messages_unacknowledged: channel.unackedCount,
    })),
  );
}

export function consumerViews(rabbit: RabbitServer): readonly object[] {
  return [...rabbit.broker.queues.values()].flatMap((queue) =>
    queue.consumers.map((consumer) => ({
      consumer_tag: consumer.tag,
      queue: { name: queue.name, vhost: "/" },
      channel_details: { name: consumer.channelName },
      ack_required: !consumer.noAck,
      exclusive: consumer.exclusive,
      prefetch_count: consumer.prefetch,
      arguments: plainTable(consumer.args),
    })),
  );
}

export function nodeView(rabbit: RabbitServer, node: string): object {
  return {
    name: node,
    type: "disc",
    running: true,
    uptime: Math.round(process.uptime() * 1000),
    mem_used: process.memoryUsage().rss,
    mem_alarm: rabbit.isAlarmed(),
    sockets_used: rabbit.connections().length,
    partitions: [],
  };
}
