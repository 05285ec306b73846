import assert from "node:assert/strict";
import { test } from "node:test";
import { countGrpcMessages, MessageCounter } from "./grpc-messages.ts";

const message = (length: number) => {
  const bytes = Buffer.alloc(5 + length);
  bytes.writeUInt32BE(length, 1);
  return bytes;
};

const cases: readonly { readonly name: string; readonly bytes: Buffer; readonly count: number }[] = [
  { name: "nothing", bytes: Buffer.alloc(0), count: 0 },
  { name: "an empty message", bytes: message(0), count: 1 },
  { name: "three, one of them long", bytes: Buffer.concat([message(3), message(70_000), message(0)]), count: 3 },
  { name: "a head that is not whole", bytes: Buffer.concat([message(2), Buffer.alloc(4)]), count: 1 },
];

for (const { name, bytes, count } of cases) {
  test(`counts ${name}, whole and byte by byte`, () => {
    const whole = new MessageCounter();
    whole.feed(bytes, 0, bytes.length);
    assert.equal(whole.count, count);
    const single = new MessageCounter();
    for (let i = 0; i < bytes.length; i++) single.feed(bytes, i, i + 1);
    assert.equal(single.count, count);
  });
}

test("only gRPC has messages", () => {
  assert.equal(countGrpcMessages("application/json"), undefined);
  assert.equal(countGrpcMessages(undefined), undefined);
  assert.ok(countGrpcMessages("application/grpc+proto") !== undefined);
});
