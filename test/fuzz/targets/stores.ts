/** The decoders of our Redis and RabbitMQ: nothing thrown but their own MalformedError, any split alike, methods survive a round trip. */
import {
  createFrameReader,
  decodeContentHeader,
  decodeMethod,
  encodeFrame,
  encodeMethod,
  type Read,
} from "../../../images/rabbitmq/amqp/frames.ts";
import { decodeProperties, encodeProperties } from "../../../images/rabbitmq/amqp/properties.ts";
import { MalformedError } from "../../../images/rabbitmq/amqp/values.ts";
import { createCommandReader } from "../../../images/redis/resp.ts";
import { type Cutter, same, type Target, Violation } from "../target.ts";

const FRAME_MAX = 128 * 1024;

function checkRedis(input: Buffer, cut: Cutter): void {
  const read = (pieces: readonly Buffer[]) => {
    const reader = createCommandReader();
    return pieces.flatMap((piece) => reader.push(piece.toString("latin1")));
  };
  same("another split gives other commands", read(cut(input)), read([input]));
}

function checkAmqp(input: Buffer, cut: Cutter): void {
  const read = (pieces: readonly Buffer[]): readonly Read[] => {
    const reader = createFrameReader(() => FRAME_MAX);
    return pieces.flatMap((piece) => reader.push(piece));
  };
  const frames = read([input]);
  const plain = (list: readonly Read[]) =>
    list.map((one) =>
      one.kind === "broken" ? one : [one.frame.type, one.frame.channel, one.frame.payload.toString("hex")],
    );
  same("another split gives other frames", plain(read(cut(input))), plain(frames));
  for (const one of frames) if (one.kind === "frame") checkPayload(one.frame.payload);
  // Also bytes that are no frame: mutation seldom leaves the end mark where it belongs.
  checkPayload(input);
}

function checkPayload(payload: Buffer): void {
  const method = unlessMalformed(() => decodeMethod(payload));
  if (method !== undefined) {
    const encoded = encodeMethod(1, method);
    const again = decodeMethod(encoded.subarray(7, -1));
    if (again === undefined) throw new Violation("a method of ours is not read again");
    same("the method came back changed", encodeMethod(1, again).toString("hex"), encoded.toString("hex"));
  }
  unlessMalformed(() => decodeContentHeader(payload));
  const properties = unlessMalformed(() => decodeProperties(payload));
  if (properties === undefined) return;
  const encoded = encodeProperties(properties);
  same(
    "the properties came back changed",
    encodeProperties(decodeProperties(encoded)).toString("hex"),
    encoded.toString("hex"),
  );
}

function unlessMalformed<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}

const method = (classId: number, id: number, args: string) =>
  encodeFrame(1, 1, Buffer.from(`${String.fromCharCode(0, classId, 0, id)}${args}`, "latin1")).toString("latin1");

export const STORE_TARGETS: readonly Target[] = [
  {
    name: "resp",
    dictionary: [
      ...[
        "*1\r\n$4\r\nPING\r\n",
        "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n",
        "PING\r\n",
        'SET "a b" c\r\n',
        "*-1\r\n",
        "*0\r\n",
      ],
      ...["$-1\r\n", "$0\r\n\r\n", "\r\n", "\n", "*1048577\r\n", "$999999999999\r\n", "'", '"\\x41"', "*2\r\n"],
    ],
    check: checkRedis,
  },
  {
    name: "amqp",
    dictionary: [
      ...[
        "AMQP\0\0\x09\x01",
        method(10, 11, "\0\0\0\0\x05PLAIN\0\0\0\x02\0u\x05en_US"),
        method(10, 40, "\x01/\0\0"),
        method(20, 10, "\0"),
      ],
      ...[
        method(50, 10, "\0\0\x01q\0\0\0\0\0"),
        method(60, 40, "\0\0\0\x01q\0"),
        method(60, 20, "\0\0\x01q\0\0\0\0\0\0"),
      ],
      ...[
        method(60, 80, "\0\0\0\0\0\0\0\x01\0"),
        encodeFrame(8, 0, Buffer.alloc(0)).toString("latin1"),
        "\xce",
        "\x01x\0\0\0\0",
      ],
      ...[
        "\x02ab",
        "S\0\0\0\x01a",
        "F\0\0\0\0",
        "A\0\0\0\x02tt",
        "\x01kI\0\0\0\x05",
        "\x01kT\0\0\0\0\0\0\0\0",
        "\x80\0",
        "\xff\xfe",
        "\0<\0\0\0\0\0\0\0\0\0\x05",
      ],
    ],
    check: checkAmqp,
  },
];
