/** The management API's answers as Prometheus text, with the exporter's metric and label names. Pure. What the API leaves out is left out here, counters excepted. */
export interface Answers {
  readonly overview: unknown;
  readonly queues: unknown;
  readonly exchanges: unknown;
  readonly nodes: unknown;
}

interface Metric {
  readonly name: string;
  readonly help: string;
  /** Where the value is in the API's answer. */
  readonly from: string;
  readonly type: "gauge" | "counter";
}

const gauge = (name: string, from: string, help: string): Metric => ({ name, from, help, type: "gauge" });
const counter = (name: string, from: string, help: string): Metric => ({ name, from, help, type: "counter" });

const OVERVIEW: readonly Metric[] = [
  gauge("channels", "object_totals.channels", "Open channels."),
  gauge("connections", "object_totals.connections", "Open connections."),
  gauge("consumers", "object_totals.consumers", "Consumers of all queues."),
  gauge("queues", "object_totals.queues", "Queues."),
  gauge("exchanges", "object_totals.exchanges", "Exchanges."),
  gauge("queue_messages_global", "queue_totals.messages", "Messages in all queues, ready or unacknowledged."),
  gauge("queue_messages_ready_global", "queue_totals.messages_ready", "Messages that wait for a consumer, all queues."),
  gauge(
    "queue_messages_unacknowledged_global",
    "queue_totals.messages_unacknowledged",
    "Messages that a consumer has and did not acknowledge yet, all queues.",
  ),
];

const QUEUE: readonly Metric[] = [
  gauge("queue_messages_ready", "messages_ready", "Messages that wait for a consumer."),
  gauge("queue_messages_unacknowledged", "messages_unacknowledged", "Messages delivered and not acknowledged yet."),
  gauge("queue_messages", "messages", "Messages in the queue, ready or unacknowledged."),
  gauge("queue_messages_ready_ram", "messages_ready_ram", "Ready messages in memory."),
  gauge("queue_messages_unacknowledged_ram", "messages_unacknowledged_ram", "Unacknowledged messages in memory."),
  gauge("queue_messages_ram", "messages_ram", "Messages in memory."),
  gauge("queue_messages_persistent", "messages_persistent", "Persistent messages in the queue."),
  gauge("queue_message_bytes", "message_bytes", "Size of all bodies in the queue."),
  gauge("queue_message_bytes_ready", "message_bytes_ready", "Size of the bodies of ready messages."),
  gauge("queue_message_bytes_unacknowledged", "message_bytes_unacknowledged", "Size of unacknowledged bodies."),
  gauge("queue_message_bytes_ram", "message_bytes_ram", "Size of the bodies in memory."),
  gauge("queue_message_bytes_persistent", "message_bytes_persistent", "Size of the bodies of persistent messages."),
  gauge("queue_consumers", "consumers", "Consumers of the queue."),
  gauge("queue_consumer_utilisation", "consumer_utilisation", "Share of time in which consumers could take a message."),
  counter("queue_messages_published_total", "message_stats.publish", "Messages that reached the queue."),
  counter("queue_messages_confirmed_total", "message_stats.confirm", "Messages confirmed to their publishers."),
  counter("queue_messages_delivered_total", "message_stats.deliver", "Deliveries that want an acknowledgement."),
  counter(
    "queue_messages_delivered_noack_total",
    "message_stats.deliver_no_ack",
    "Deliveries without acknowledgement.",
  ),
  counter("queue_messages_get_total", "message_stats.get", "Messages fetched with acknowledgement."),
  counter("queue_messages_get_noack_total", "message_stats.get_no_ack", "Messages fetched without acknowledgement."),
  counter(
    "queue_messages_redelivered_total",
    "message_stats.redeliver",
    "Deliveries of a message that somebody had before.",
  ),
  counter("queue_messages_returned_total", "message_stats.return", "Messages returned to their publishers."),
  counter("queue_messages_ack_total", "message_stats.ack", "Messages acknowledged."),
];

const EXCHANGE: readonly Metric[] = [
  counter("exchange_messages_published_in_total", "message_stats.publish_in", "Messages published to the exchange."),
  counter("exchange_messages_published_out_total", "message_stats.publish_out", "Messages the exchange passed on."),
];

const NODE: readonly Metric[] = [
  counter("uptime", "uptime", "Milliseconds since the node started."),
  gauge("running", "running", "Whether the node runs."),
  gauge("node_mem_used", "mem_used", "Memory the node uses, in bytes."),
  gauge("node_mem_limit", "mem_limit", "Memory at which the alarm goes off, in bytes."),
  gauge("node_mem_alarm", "mem_alarm", "Whether the memory alarm is on."),
  gauge("node_disk_free", "disk_free", "Free disk space in bytes."),
  gauge("node_disk_free_alarm", "disk_free_alarm", "Whether the disk alarm is on."),
  gauge("sockets_used", "sockets_used", "Sockets in use."),
];

type Labels = readonly (readonly [string, string])[];

/** The whole page but for `rabbitmq_up` and the modules, which the caller knows. */
export function exposeMetrics(answers: Answers): string {
  const overview = fieldsOf(answers.overview);
  const cluster = textOf(overview.cluster_name);
  const node = textOf(overview.node);
  const version: Labels = [
    ["cluster", cluster],
    ["erlang", textOf(overview.erlang_version)],
    ["node", node],
    ["rabbitmq", textOf(overview.rabbitmq_version)],
  ];
  return [
    exposeFamily({ name: "version_info", help: "Always 1; the version is in the labels.", from: "", type: "gauge" }, [
      [version, 1],
    ]),
    ...expose(OVERVIEW, [overview], () => [["cluster", cluster]]),
    ...expose(QUEUE, listOf(answers.queues), (queue) => [
      ["cluster", cluster],
      ["durable", textOf(queue.durable)],
      ["policy", textOf(queue.policy)],
      ["queue", textOf(queue.name)],
      ["self", queue.node === node ? "1" : "0"],
      ["vhost", textOf(queue.vhost)],
    ]),
    ...expose(EXCHANGE, listOf(answers.exchanges), (exchange) => [
      ["cluster", cluster],
      ["exchange", textOf(exchange.name)],
      ["vhost", textOf(exchange.vhost)],
    ]),
    ...expose(NODE, listOf(answers.nodes), (each) => [
      ["cluster", cluster],
      ["node", textOf(each.name)],
      ["self", each.name === node ? "1" : "0"],
    ]),
  ].join("");
}

export function exposeFamily(metric: Metric, samples: readonly (readonly [Labels, number])[]): string {
  if (samples.length === 0) return "";
  const name = `rabbitmq_${metric.name}`;
  const lines = samples.map(([labels, value]) => {
    const inside = labels.map(([label, text]) => `${label}="${escapeLabel(text)}"`).join(",");
    return `${name}${inside === "" ? "" : `{${inside}}`} ${value}`;
  });
  return `# HELP ${name} ${metric.help}\n# TYPE ${name} ${metric.type}\n${lines.join("\n")}\n`;
}

type Fields = Readonly<Record<string, unknown>>;

function expose(metrics: readonly Metric[], items: readonly Fields[], labelsOf: (item: Fields) => Labels): string[] {
  return metrics.map((metric) =>
    exposeFamily(
      metric,
      items.flatMap((item) => {
        const value = numberAt(item, metric.from) ?? (metric.type === "counter" ? 0 : undefined);
        return value === undefined ? [] : [[labelsOf(item), value] as const];
      }),
    ),
  );
}

function numberAt(item: Fields, path: string): number | undefined {
  let value: unknown = item;
  for (const part of path.split(".")) value = fieldsOf(value)[part];
  if (typeof value === "boolean") return value ? 1 : 0;
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function listOf(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.map(fieldsOf) : [];
}

function textOf(value: unknown): string {
  return value === undefined || value === null ? "" : String(value);
}

function escapeLabel(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
