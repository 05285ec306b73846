import assert from "node:assert/strict";
import { test } from "node:test";
import { countGrpcMessages } from "./grpc-messages.ts";

test("only gRPC has messages", () => {
  assert.equal(countGrpcMessages("application/json"), undefined);
  assert.equal(countGrpcMessages("application/grpc-web"), undefined);
  assert.equal(countGrpcMessages(undefined), undefined);
  assert.ok(countGrpcMessages("application/grpc+proto") !== undefined);
});
