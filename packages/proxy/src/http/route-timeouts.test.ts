import assert from "node:assert/strict";
import { test } from "node:test";
import { createHeaderBlock } from "@argyle/codec";
import { routeTimeouts } from "./route-timeouts.ts";

const cases: readonly {
  readonly name: string;
  readonly max?: number;
  readonly offset?: number;
  readonly perTry?: number;
  readonly asked?: string;
  readonly contentType?: string;
  readonly timeout: number;
  readonly header: string | undefined;
}[] = [
  { name: "not gRPC: the route's", max: 0, asked: "1S", contentType: "text/plain", timeout: 15_000, header: "1S" },
  { name: "not allowed: the route's", asked: "1S", timeout: 15_000, header: "1S" },
  { name: "anything: what was asked for", max: 0, asked: "1S", timeout: 1000, header: "1000m" },
  { name: "anything: nothing asked for is no timeout", max: 0, timeout: 0, header: undefined },
  { name: "a maximum below what was asked for", max: 5000, asked: "1M", timeout: 5000, header: "5000m" },
  { name: "a maximum where nothing was asked for", max: 5000, timeout: 5000, header: "5000m" },
  { name: "a maximum above it", max: 5000, asked: "100m", timeout: 100, header: "100m" },
  { name: "an offset", max: 0, offset: 30, asked: "100m", timeout: 70, header: "70m" },
  { name: "an offset that would leave nothing", max: 0, offset: 100, asked: "100m", timeout: 100, header: "100m" },
  { name: "what cannot be read is nothing", max: 0, asked: "soon", timeout: 0, header: "soon" },
  { name: "one try of it", max: 0, perTry: 200, asked: "1S", timeout: 1000, header: "200m" },
];

for (const c of cases)
  test(`timeout of a request: ${c.name}`, () => {
    const headers = createHeaderBlock([["content-type", c.contentType ?? "application/grpc"]]);
    if (c.asked !== undefined) headers.set("grpc-timeout", c.asked);
    const action = {
      timeoutMs: 15_000,
      maxGrpcTimeoutMs: c.max,
      grpcTimeoutOffsetMs: c.offset ?? 0,
    };
    const policy = c.perTry === undefined ? undefined : { perTryTimeoutMs: c.perTry };
    assert.equal(routeTimeouts(action, policy, headers, false).routeMs, c.timeout);
    assert.equal(headers.get("grpc-timeout"), c.header);
  });
