import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeProxyHeader } from "@argyle/pod-network";
import { readProxyProtocol } from "./proxy-protocol.ts";

const SOURCE = { ip: "203.0.113.9", port: 4711 };
const DESTINATION = { ip: "10.0.0.1", port: 443 };
const v2 = encodeProxyHeader({ command: "PROXY", family: "TCP4", source: SOURCE, destination: DESTINATION, tlvs: [] });
const v1 = "PROXY TCP4 203.0.113.9 10.0.0.1 4711 443\r\n";
const both = { source: SOURCE, destination: DESTINATION };

const cases: readonly (readonly [string, string | Buffer, ReturnType<typeof readProxyProtocol>])[] = [
  ["version 1", v1, { kind: "header", length: v1.length, addresses: both }],
  ["version 1 with the stream behind it", `${v1}GET /`, { kind: "header", length: v1.length, addresses: both }],
  ["version 1, unknown", "PROXY UNKNOWN x y\r\n", { kind: "header", length: 19, addresses: undefined }],
  ["version 2", v2, { kind: "header", length: v2.length, addresses: both }],
  ["half of version 2", v2.subarray(0, 14), { kind: "need-more" }],
  ["half of version 1", "PROXY TCP4 203.0", { kind: "need-more" }],
  ["one byte of either", "\r", { kind: "need-more" }],
  ["nothing", "", { kind: "need-more" }],
  ["another protocol", "GET / HTTP/1.1\r\n", { kind: "absent" }],
  ["a port out of range", "PROXY TCP4 1.1.1.1 2.2.2.2 70000 1\r\n", { kind: "invalid" }],
  ["an address of the other family", "PROXY TCP6 1.1.1.1 2.2.2.2 1 1\r\n", { kind: "invalid" }],
  ["a name for an address", "PROXY TCP4 localhost 2.2.2.2 1 1\r\n", { kind: "invalid" }],
  ["a line without end", `PROXY ${"x".repeat(200)}`, { kind: "invalid" }],
];
for (const [name, bytes, expected] of cases)
  test(`PROXY protocol: ${name}`, () => assert.deepEqual(readProxyProtocol(Buffer.from(bytes)), expected));

test("version 2 byte by byte", () => {
  for (let i = 1; i < v2.length; i++) assert.equal(readProxyProtocol(v2.subarray(0, i)).kind, "need-more");
});
