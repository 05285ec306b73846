import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { GrpcMessageCounter } from "./message-counter.ts";
import {
  decodeGrpcMessage,
  encodeGrpcMessage,
  formatGrpcTimeout,
  grpcStatusOfHttp,
  httpStatusOfGrpc,
  isGrpcContentType,
  parseGrpcStatus,
  parseGrpcTimeout,
} from "./status.ts";

test("messages are counted however the body is cut", () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 10 });
  fc.assert(
    fc.property(messages, fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 10 }), (bodies, cuts) => {
      const whole = Buffer.concat(
        bodies.map((body) => Buffer.concat([Buffer.of(body.length % 2, 0, 0, 0, body.length), body])),
      );
      const counter = new GrpcMessageCounter();
      let at = 0;
      for (const end of [...cuts.filter((cut) => cut < whole.length).sort((a, b) => a - b), whole.length]) {
        counter.push(whole, at, end);
        at = end;
      }
      assert.deepEqual([counter.count, counter.isValid, counter.isAtBoundary], [bodies.length, true, true]);
    }),
  );
});

test("a body that is not gRPC is recognised, a cut message is not whole", () => {
  const counter = new GrpcMessageCounter();
  counter.push(Buffer.from("hello"), 0, 5);
  assert.deepEqual([counter.count, counter.isValid], [0, false]);
  const cut = new GrpcMessageCounter();
  cut.push(Buffer.of(0, 0, 0, 0, 2, 7), 0, 6);
  assert.deepEqual([cut.count, cut.isAtBoundary], [1, false]);
});

for (const [http, grpc] of [
  [400, 13],
  [401, 16],
  [403, 7],
  [404, 12],
  [429, 14],
  [502, 14],
  [503, 14],
  [504, 14],
  [200, 2],
  [500, 2],
] as const) {
  test(`HTTP ${http} is grpc-status ${grpc}`, () => assert.equal(grpcStatusOfHttp(http), grpc));
}

test("every grpc-status counts as an HTTP code, an unknown one as 500", () => {
  const codes = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401, 500];
  assert.deepEqual(
    codes.map((_, status) => httpStatusOfGrpc(status)),
    codes,
  );
});

for (const [text, field] of [
  ["no healthy upstream", "no healthy upstream"],
  ["100% é\n", "100%25 %C3%A9%0A"],
  ["", ""],
] as const) {
  test(`grpc-message of ${JSON.stringify(text)}`, () => {
    assert.equal(encodeGrpcMessage(text), field);
    assert.equal(decodeGrpcMessage(field), text);
  });
}

test("every text survives as a grpc-message; broken escapes stay", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const field = encodeGrpcMessage(text);
      assert.match(field, /^[\x20-\x7e]*$/);
      assert.equal(decodeGrpcMessage(field), text);
    }),
  );
  assert.equal(decodeGrpcMessage("a%2xb%"), "a%2xb%");
});

for (const [text, ms] of [
  ["100m", 100],
  ["5S", 5000],
  ["1H", 3_600_000],
  ["2M", 120_000],
  ["250u", 0.25],
  ["99999999n", 99.999999],
  ["", undefined],
  ["5", undefined],
  ["123456789m", undefined],
  ["-1S", undefined],
  ["1s", undefined],
] as const) {
  test(`grpc-timeout ${JSON.stringify(text)}`, () => assert.equal(parseGrpcTimeout(text), ms));
}

test("a written grpc-timeout is what was meant, rounded up by at most its unit", () => {
  assert.deepEqual([50, 15_000, 0, 1e9].map(formatGrpcTimeout), ["50m", "15000m", "0m", "1000000S"]);
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e12, noNaN: true }), (ms) => {
      const read = parseGrpcTimeout(formatGrpcTimeout(ms)) ?? -1;
      assert.ok(read >= ms * (1 - 1e-9) && read <= ms * 1.01 + 1, `${ms} became ${read}`);
    }),
  );
});

test("grpc-status and the content type are read strictly", () => {
  assert.deepEqual(["0", "14", "01", "-1", "x", undefined].map(parseGrpcStatus), [
    0,
    14,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  assert.deepEqual(
    ["application/grpc", "application/grpc+proto", "Application/GRPC; a=b", "application/grpc-web", undefined].map(
      isGrpcContentType,
    ),
    [true, true, true, false, false],
  );
});
