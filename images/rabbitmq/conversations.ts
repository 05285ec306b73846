/**
 * What clients do with a broker and what they get to see, one conversation a case. The expected lines were taken from RabbitMQ 3.10;
 * rabbitmq.test.ts holds each with our broker always, and with a real RabbitMQ on request.
 */
import { type Channel, type ChannelModel, type ConfirmChannel, connect } from "amqplib";

export interface Stage {
  readonly url: string;
  /** Another connection, closed at the end. */
  connect(): Promise<ChannelModel>;
  channel(): Promise<Channel>;
  confirmChannel(): Promise<ConfirmChannel>;
  say(line: string): void;
  /** Waits until this many lines have been said. */
  lines(count: number): Promise<void>;
  /** Says what the work fails with. */
  failure(work: Promise<unknown>): Promise<void>;
}

export interface Conversation {
  readonly name: string;
  hold(stage: Stage): Promise<void>;
  readonly lines: readonly string[];
}

const bytes = (text: string) => Buffer.from(text);

/** Declares a server-named queue of this connection and says how often each text sent comes out, in order. */
async function drain(channel: Channel, queue: string): Promise<string> {
  const out: string[] = [];
  for (;;) {
    const message = await channel.get(queue, { noAck: true });
    if (message === false) return out.join(" ");
    out.push(`${message.content}${message.fields.redelivered ? "(again)" : ""}`);
  }
}

export const CONVERSATIONS: readonly Conversation[] = [
  {
    name: "default exchange, counts, purge",
    async hold({ confirmChannel, say }) {
      const ch = await confirmChannel();
      await ch.assertQueue("q1", { exclusive: true });
      for (const text of ["a", "b", "c"]) ch.sendToQueue("q1", bytes(text));
      await ch.waitForConfirms();
      const { messageCount, consumerCount } = await ch.checkQueue("q1");
      say(`${messageCount} ${consumerCount}`);
      const first = await ch.get("q1");
      if (first !== false) say(`${first.content} left ${first.fields.messageCount} again ${first.fields.redelivered}`);
      say(`purged ${(await ch.purgeQueue("q1")).messageCount}`);
      say(String(await ch.get("q1")));
    },
    lines: ["3 0", "a left 2 again false", "purged 2", "false"],
  },
  {
    name: "direct, fanout and topic routing",
    async hold({ channel, say }) {
      const ch = await channel();
      for (const type of ["direct", "fanout", "topic"])
        await ch.assertExchange(`x-${type}`, type, { autoDelete: true });
      const keys = ["a.b", "a.*", "a.#", "#", "*.b", "a.#.z", "*"];
      for (const type of ["direct", "fanout", "topic"]) {
        for (const key of keys) {
          const { queue } = await ch.assertQueue("", { exclusive: true });
          await ch.bindQueue(queue, `x-${type}`, key);
          for (const sent of ["a", "a.b", "a.b.c", "a.z", "a.b.c.z", ""])
            ch.publish(`x-${type}`, sent, bytes(sent || "-"));
          say(`${type} ${key}: ${await drain(ch, queue)}`);
          await ch.deleteQueue(queue);
          await ch.assertExchange(`x-${type}`, type, { autoDelete: true });
        }
      }
    },
    lines: [
      "direct a.b: a.b",
      "direct a.*: ",
      "direct a.#: ",
      "direct #: ",
      "direct *.b: ",
      "direct a.#.z: ",
      "direct *: ",
      ...["a.b", "a.*", "a.#", "#", "*.b", "a.#.z", "*"].map((key) => `fanout ${key}: a a.b a.b.c a.z a.b.c.z -`),
      "topic a.b: a.b",
      "topic a.*: a.b a.z",
      "topic a.#: a a.b a.b.c a.z a.b.c.z",
      "topic #: a a.b a.b.c a.z a.b.c.z -",
      "topic *.b: a.b",
      "topic a.#.z: a.z a.b.c.z",
      "topic *: a",
    ],
  },
  {
    name: "headers exchange",
    async hold({ channel, say }) {
      const ch = await channel();
      const cases = [
        { "x-match": "all", k: "v", n: 1 },
        { "x-match": "any", k: "v", n: 1 },
        { "x-match": "any", "x-only": "v" },
      ];
      for (const args of cases) {
        const { queue } = await ch.assertQueue("", { exclusive: true });
        await ch.bindQueue(queue, "amq.headers", "", args);
        const sent: readonly [string, Record<string, unknown>][] = [
          ["both", { k: "v", n: 1 }],
          ["one", { k: "v" }],
          ["none", { k: "w" }],
          ["x", { "x-only": "v" }],
        ];
        for (const [text, headers] of sent) ch.publish("amq.headers", "", bytes(text), { headers });
        say(await drain(ch, queue));
      }
    },
    lines: ["both", "both one", ""],
  },
  {
    name: "exchange to exchange, alternate exchange",
    async hold({ channel, say }) {
      const ch = await channel();
      await ch.assertExchange("x-alt", "fanout", { durable: false, autoDelete: true });
      await ch.assertExchange("x-in", "direct", { durable: false, autoDelete: true, alternateExchange: "x-alt" });
      const alt = (await ch.assertQueue("", { exclusive: true })).queue;
      const own = (await ch.assertQueue("", { exclusive: true })).queue;
      await ch.bindQueue(alt, "x-alt", "");
      await ch.assertExchange("x-mid", "fanout", { durable: false, autoDelete: true });
      await ch.bindExchange("x-mid", "x-in", "k");
      await ch.bindQueue(own, "x-mid", "");
      ch.publish("x-in", "k", bytes("known"));
      ch.publish("x-in", "other", bytes("unknown"));
      say(`own ${await drain(ch, own)}, alternate ${await drain(ch, alt)}`);
    },
    lines: ["own known, alternate unknown"],
  },
  {
    name: "acknowledgement, redelivery, order",
    async hold({ channel, say }) {
      const ch = await channel();
      const other = await channel();
      const { queue } = await ch.assertQueue("", { exclusive: true });
      for (const text of ["1", "2", "3", "4"]) ch.sendToQueue(queue, bytes(text));
      const taken = [await ch.get(queue), await ch.get(queue), await ch.get(queue)];
      const [, second] = taken;
      if (second !== undefined && second !== false) ch.ack(second);
      await ch.close();
      say(await drain(other, queue));
    },
    lines: ["1(again) 3(again) 4"],
  },
  {
    name: "nack multiple, reject, recover",
    async hold({ channel, say }) {
      const ch = await channel();
      const { queue } = await ch.assertQueue("", { exclusive: true });
      for (const text of ["1", "2", "3"]) ch.sendToQueue(queue, bytes(text));
      await ch.get(queue);
      const second = await ch.get(queue);
      const third = await ch.get(queue);
      if (second !== false) ch.nack(second, true, true);
      if (third !== false) ch.reject(third, false);
      await ch.recover();
      say(await drain(ch, queue));
    },
    lines: ["1(again) 2(again)"],
  },
  {
    name: "prefetch, round robin",
    async hold({ channel, say, lines }) {
      const ch = await channel();
      await ch.prefetch(1);
      const { queue } = await ch.assertQueue("", { exclusive: true });
      const held: (() => void)[] = [];
      for (const name of ["A", "B"]) {
        await ch.consume(queue, (message) => {
          if (message === null) return;
          say(`${name} ${message.content}`);
          held.push(() => ch.ack(message));
        });
      }
      for (const text of ["1", "2", "3", "4"]) ch.sendToQueue(queue, bytes(text));
      await lines(2);
      held[0]?.();
      await lines(3);
      held[1]?.();
      await lines(4);
    },
    lines: ["A 1", "B 2", "A 3", "B 4"],
  },
  {
    name: "publisher confirms and mandatory returns",
    async hold({ confirmChannel, say, lines }) {
      const ch = await confirmChannel();
      const { queue } = await ch.assertQueue("", { exclusive: true });
      ch.on("return", (message: { fields: unknown; content: Buffer }) =>
        say(`returned ${message.content} ${JSON.stringify(message.fields)}`),
      );
      ch.publish("", "nowhere", bytes("lost"), { mandatory: true });
      await lines(1);
      ch.sendToQueue(queue, bytes("kept"), { mandatory: true });
      await ch.waitForConfirms();
      say("confirmed");
    },
    lines: ['returned lost {"replyCode":312,"replyText":"NO_ROUTE","exchange":"","routingKey":"nowhere"}', "confirmed"],
  },
  {
    name: "failures of a channel",
    async hold({ channel, say, failure }) {
      const setup = await channel();
      await setup.assertQueue("f1", { exclusive: true, durable: false, arguments: { "x-message-ttl": 1000 } });
      await setup.assertExchange("fx", "direct", { durable: false, autoDelete: true });
      const cases: readonly ((ch: Channel) => Promise<unknown>)[] = [
        (ch) => ch.checkQueue("none"),
        (ch) => ch.checkExchange("none"),
        (ch) => ch.assertQueue("f1", { exclusive: true, durable: true, arguments: { "x-message-ttl": 1000 } }),
        (ch) => ch.assertQueue("f1", { exclusive: true, durable: false }),
        (ch) => ch.assertQueue("f1", { exclusive: true, durable: false, arguments: { "x-message-ttl": 2000 } }),
        (ch) => ch.assertQueue("f1", { exclusive: false, durable: false }),
        (ch) => ch.assertQueue("f2", { exclusive: true, arguments: { "x-message-ttl": -1 } }),
        (ch) => ch.assertQueue("f2", { exclusive: true, arguments: { "x-expires": 0 } }),
        (ch) => ch.assertQueue("f2", { exclusive: true, arguments: { "x-message-ttl": "soon" } }),
        (ch) => ch.assertQueue("amq.mine", {}),
        (ch) => ch.assertExchange("fx", "fanout", { durable: false, autoDelete: true }),
        (ch) => ch.assertExchange("fx", "direct", { durable: true, autoDelete: true }),
        (ch) => ch.assertExchange("amq.mine", "direct"),
        (ch) => ch.deleteExchange("amq.direct"),
        (ch) => ch.bindQueue("f1", "none", "k"),
        (ch) => ch.bindQueue("none", "fx", "k"),
        (ch) => ch.bindQueue("f1", "", "k"),
        (ch) => ch.consume("none", () => undefined),
        (ch) => ch.get("none"),
        (ch) => ch.purgeQueue("none"),
      ];
      for (const [i, run] of cases.entries()) {
        const ch = await channel();
        ch.on("error", () => undefined);
        await failure(run(ch)).catch(() => say(`case ${i}`));
      }
      say(`deleted ${(await setup.deleteQueue("none")).messageCount}`);
    },
    lines: [
      "Operation failed: QueueDeclare; 404 (NOT-FOUND) with message \"NOT_FOUND - no queue 'none' in vhost '/'\"",
      "Operation failed: ExchangeDeclare; 404 (NOT-FOUND) with message \"NOT_FOUND - no exchange 'none' in vhost '/'\"",
      "no failure",
      "Operation failed: QueueDeclare; 406 (PRECONDITION-FAILED) with message \"PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'f1' in vhost '/': received none but current is the value '1000' of type 'short'\"",
      "Operation failed: QueueDeclare; 406 (PRECONDITION-FAILED) with message \"PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'f1' in vhost '/': received '2000' but current is '1000'\"",
      "Operation failed: QueueDeclare; 405 (RESOURCE-LOCKED) with message \"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'f1' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.\"",
      "Operation failed: QueueDeclare; 406 (PRECONDITION-FAILED) with message \"PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'f2' in vhost '/': {value_negative,-1}\"",
      "Operation failed: QueueDeclare; 406 (PRECONDITION-FAILED) with message \"PRECONDITION_FAILED - invalid arg 'x-expires' for queue 'f2' in vhost '/': {value_zero,0}\"",
      "Operation failed: QueueDeclare; 406 (PRECONDITION-FAILED) with message \"PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'f2' in vhost '/': \"expected integer, got longstr\"\"",
      "Operation failed: QueueDeclare; 403 (ACCESS-REFUSED) with message \"ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'\"",
      "Operation failed: ExchangeDeclare; 406 (PRECONDITION-FAILED) with message \"PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'fx' in vhost '/': received 'fanout' but current is 'direct'\"",
      "Operation failed: ExchangeDeclare; 406 (PRECONDITION-FAILED) with message \"PRECONDITION_FAILED - inequivalent arg 'durable' for exchange 'fx' in vhost '/': received 'true' but current is 'false'\"",
      "Operation failed: ExchangeDeclare; 403 (ACCESS-REFUSED) with message \"ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'\"",
      "Operation failed: ExchangeDelete; 403 (ACCESS-REFUSED) with message \"ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not allowed\"",
      "Operation failed: QueueBind; 404 (NOT-FOUND) with message \"NOT_FOUND - no exchange 'none' in vhost '/'\"",
      "Operation failed: QueueBind; 404 (NOT-FOUND) with message \"NOT_FOUND - no queue 'none' in vhost '/'\"",
      'Operation failed: QueueBind; 403 (ACCESS-REFUSED) with message "ACCESS_REFUSED - operation not permitted on the default exchange"',
      "Operation failed: BasicConsume; 404 (NOT-FOUND) with message \"NOT_FOUND - no queue 'none' in vhost '/'\"",
      "Operation failed: BasicGet; 404 (NOT-FOUND) with message \"NOT_FOUND - no queue 'none' in vhost '/'\"",
      "Operation failed: QueuePurge; 404 (NOT-FOUND) with message \"NOT_FOUND - no queue 'none' in vhost '/'\"",
      "deleted 0",
    ],
  },
  {
    name: "failures that end a channel later",
    async hold({ channel, say, lines }) {
      let count = 0;
      const broken = async (run: (ch: Channel) => unknown) => {
        const ch = await channel();
        ch.on("error", (error: Error) => say(error.message));
        await run(ch);
        count += 1;
        await lines(count);
      };
      await broken((ch) => ch.publish("none", "k", bytes("x")));
      await broken(async (ch) => {
        const { queue } = await ch.assertQueue("", { exclusive: true });
        ch.sendToQueue(queue, bytes("x"));
        const message = await ch.get(queue);
        if (message === false) return;
        ch.ack(message);
        ch.ack(message);
      });
      await broken((ch) => ch.sendToQueue("q", bytes("x"), { expiration: "soon" }));
      await broken((ch) => ch.sendToQueue("q", bytes("x"), { expiration: "12s" }));
      await broken((ch) => ch.sendToQueue("q", bytes("x"), { userId: "somebody" }));
    },
    lines: [
      "Channel closed by server: 404 (NOT-FOUND) with message \"NOT_FOUND - no exchange 'none' in vhost '/'\"",
      'Channel closed by server: 406 (PRECONDITION-FAILED) with message "PRECONDITION_FAILED - unknown delivery tag 1"',
      "Channel closed by server: 406 (PRECONDITION-FAILED) with message \"PRECONDITION_FAILED - invalid expiration 'soon': no_integer\"",
      'Channel closed by server: 406 (PRECONDITION-FAILED) with message "PRECONDITION_FAILED - invalid expiration \'12s\': {leftover_string,"s"}"',
      "Channel closed by server: 406 (PRECONDITION-FAILED) with message \"PRECONDITION_FAILED - user_id property set to 'somebody' but authenticated user was 'guest'\"",
    ],
  },
  {
    name: "failures of a connection",
    async hold({ connect: another, say, lines, url }) {
      const broken = async (run: (ch: Channel, connection: ChannelModel) => unknown) => {
        const connection = await another();
        const said = new Promise<void>((resolve) => {
          connection.on("error", (error: Error) => {
            say(error.message);
            resolve();
          });
        });
        const ch = await connection.createChannel();
        ch.on("error", () => undefined);
        await Promise.resolve(run(ch, connection)).catch(() => undefined);
        await said;
      };
      await broken((ch) => ch.assertExchange("y", "pyramid"));
      await broken(async (ch) => {
        const { queue } = await ch.assertQueue("", { exclusive: true });
        await ch.consume(queue, () => undefined, { consumerTag: "t" });
        await ch.consume(queue, () => undefined, { consumerTag: "t" });
      });
      for (const bad of [url.replace("guest:guest", "guest:wrong"), `${url}/nowhere`]) {
        await connect(bad).then(
          () => say("let in"),
          (error: Error) => say(error.message),
        );
      }
      await lines(4);
    },
    lines: [
      "Connection closed: 503 (COMMAND-INVALID) with message \"COMMAND_INVALID - unknown exchange type 'pyramid'\"",
      "Connection closed: 530 (NOT-ALLOWED) with message \"NOT_ALLOWED - attempt to reuse consumer tag 't'\"",
      'Handshake terminated by server: 403 (ACCESS-REFUSED) with message "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile."',
      "Expected ConnectionOpenOk; got <ConnectionClose channel:0>",
    ],
  },
  {
    name: "exclusive queues and consumers",
    async hold({ connect: another, channel, say, failure }) {
      const owner = await another();
      const ch = await owner.createChannel();
      await ch.assertQueue("e1", { exclusive: true });
      await failure(channel().then((other) => other.checkQueue("e1")));
      const shared = await channel();
      const { queue } = await shared.assertQueue("e2", { autoDelete: true, durable: false });
      await shared.consume(queue, () => undefined, { exclusive: true });
      await failure(channel().then((other) => other.consume(queue, () => undefined)));
      await owner.close();
      await failure(channel().then((other) => other.checkQueue("e1")));
      await shared.close();
      await failure(channel().then((other) => other.checkQueue("e2")));
      say("done");
    },
    lines: [
      "Operation failed: QueueDeclare; 405 (RESOURCE-LOCKED) with message \"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'e1' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.\"",
      "Operation failed: BasicConsume; 403 (ACCESS-REFUSED) with message \"ACCESS_REFUSED - queue 'e2' in vhost '/' in exclusive use\"",
      "Operation failed: QueueDeclare; 404 (NOT-FOUND) with message \"NOT_FOUND - no queue 'e1' in vhost '/'\"",
      "Operation failed: QueueDeclare; 404 (NOT-FOUND) with message \"NOT_FOUND - no queue 'e2' in vhost '/'\"",
      "done",
    ],
  },
  {
    name: "a deleted queue tells its consumers",
    async hold({ channel, say, lines }) {
      const ch = await channel();
      const { queue } = await ch.assertQueue("", { exclusive: true });
      await ch.consume(queue, (message) => say(message === null ? "cancelled" : "message"));
      await ch.deleteQueue(queue);
      await lines(1);
    },
    lines: ["cancelled"],
  },
  {
    name: "a large body whole",
    async hold({ channel, say, lines }) {
      const ch = await channel();
      const { queue } = await ch.assertQueue("", { exclusive: true });
      const body = Buffer.alloc(700_001, "abcdefg");
      await ch.consume(queue, (message) => say(`${message?.content.equals(body)} ${message?.properties.contentType}`), {
        noAck: true,
      });
      ch.sendToQueue(queue, body, {
        contentType: "text/plain",
        headers: { deep: { list: [1, "two", true, null, 2.5] } },
      });
      await lines(1);
    },
    lines: ["true text/plain"],
  },
  {
    name: "lifetimes, limits, dead letters",
    async hold({ channel, say, lines, confirmChannel }) {
      const ch = await channel();
      const dead = (await ch.assertQueue("", { exclusive: true })).queue;
      await ch.consume(
        dead,
        (message) => {
          const [death] = message?.properties.headers?.["x-death"] ?? [];
          say(
            `${message?.content} ${death?.reason} ${death?.count} ${message?.properties.headers?.["x-first-death-reason"]}`,
          );
        },
        { noAck: true },
      );
      const to = { deadLetterExchange: "", deadLetterRoutingKey: dead };
      const short = (await ch.assertQueue("", { exclusive: true, messageTtl: 20, ...to })).queue;
      ch.sendToQueue(short, bytes("old"));
      await lines(1);
      const own = (await ch.assertQueue("", { exclusive: true, ...to })).queue;
      ch.sendToQueue(own, bytes("own ttl"), { expiration: "10" });
      await lines(2);
      const small = (await ch.assertQueue("", { exclusive: true, maxLength: 2, ...to })).queue;
      for (const text of ["1", "2", "3"]) ch.sendToQueue(small, bytes(text));
      await lines(3);
      const message = await ch.get(small);
      if (message !== false) ch.reject(message, false);
      await lines(4);
      const confirming = await confirmChannel();
      const full = { exclusive: true, maxLength: 1, arguments: { "x-overflow": "reject-publish" } };
      const strict = (await ch.assertQueue("", full)).queue;
      confirming.sendToQueue(strict, bytes("1"));
      await confirming.waitForConfirms();
      confirming.sendToQueue(strict, bytes("2"));
      await confirming.waitForConfirms().catch(() => say("refused"));
    },
    lines: [
      "old expired 1 expired",
      "own ttl expired 1 expired",
      "1 maxlen 1 maxlen",
      "2 rejected 1 rejected",
      "refused",
    ],
  },
];
