/** The exporter against the management API of the broker it is meant for; the counters are what amqplib did. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { connect } from "amqplib";
import { createManagement } from "../rabbitmq/management.ts";
import { createRabbitServer } from "../rabbitmq/server.ts";
import { createExporter } from "./exporter.ts";

const authenticate = (user: string, password: string) => user === "guest" && password === "guest";

async function listen(server: Pick<Server, "listen" | "address" | "once">): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server as Server, "listening");
  return (server.address() as AddressInfo).port;
}

test("shows the broker's counters, and says when it is down", async (t) => {
  const rabbit = createRabbitServer();
  const management = createManagement(rabbit, { authenticate, nodeName: "rabbit@here" });
  const amqp = await listen(rabbit.server as unknown as Server);
  const api = `http://127.0.0.1:${await listen(management)}`;
  const log: string[] = [];
  const exporter = createExporter({
    url: api,
    user: "guest",
    password: "guest",
    timeoutMs: 1000,
    log: (line) => log.push(line),
  });
  const page = `http://127.0.0.1:${await listen(exporter)}/metrics`;
  t.after(() => {
    exporter.closeAllConnections();
    exporter.close();
  });

  const client = await connect(`amqp://127.0.0.1:${amqp}`);
  const channel = await client.createConfirmChannel();
  await channel.assertQueue('task "one"', { durable: true });
  for (const text of ["a", "bb", "ccc"]) channel.sendToQueue('task "one"', Buffer.from(text), { persistent: true });
  await channel.waitForConfirms();
  const first = await channel.get('task "one"');
  const second = await channel.get('task "one"');
  assert.ok(first !== false && second !== false);
  channel.ack(first);
  channel.nack(second, false, true);
  await channel.get('task "one"');
  const text = await (await fetch(page)).text();
  const labels = String.raw`{cluster="rabbit@here",durable="true",policy="",queue="task \"one\"",self="1",vhost="/"}`;
  for (const line of [
    "rabbitmq_up 1",
    'rabbitmq_connections{cluster="rabbit@here"} 1',
    'rabbitmq_queues{cluster="rabbit@here"} 1',
    `rabbitmq_queue_messages_ready${labels} 1`,
    `rabbitmq_queue_messages_unacknowledged${labels} 1`,
    `rabbitmq_queue_message_bytes${labels} 5`,
    `rabbitmq_queue_messages_published_total${labels} 3`,
    `rabbitmq_queue_messages_get_total${labels} 3`,
    `rabbitmq_queue_messages_redelivered_total${labels} 1`,
    `rabbitmq_queue_messages_ack_total${labels} 1`,
    'rabbitmq_exchange_messages_published_in_total{cluster="rabbit@here",exchange="",vhost="/"} 3',
    'rabbitmq_running{cluster="rabbit@here",node="rabbit@here",self="1"} 1',
  ]) {
    assert.ok(text.split("\n").includes(line), `${line} is missing in\n${text}`);
  }
  assert.equal((await fetch(`${api}/api/overview`)).status, 401);
  const guest = { authorization: `Basic ${Buffer.from("guest:guest").toString("base64")}` };
  assert.equal((await fetch(`${api}/api/queues/%2F/none`, { headers: guest })).status, 404);
  assert.equal((await fetch(`${api}/api/queues/%2F/task%20%22one%22`, { headers: guest })).status, 200);

  await client.close();
  management.closeAllConnections();
  management.close();
  await rabbit.close();
  const down = await (await fetch(page)).text();
  assert.match(down, /^rabbitmq_up 0$/m);
  assert.doesNotMatch(down, /rabbitmq_queues/);
  assert.equal(log.length, 4);
});
