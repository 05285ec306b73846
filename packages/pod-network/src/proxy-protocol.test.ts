import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { bytesOfIPv6, isLoopbackAddress, parseIpRange, textOfIPv6 } from "./ip-address.ts";
import {
  authorityOf,
  authorityTlv,
  decodeProxyHeader,
  encodeProxyHeader,
  type ProxyHeader,
  proxyHeader,
} from "./proxy-protocol.ts";

const SIGNATURE = "0d0a0d0a000d0a515549540a";
const source = { ip: "10.244.0.9", port: 40_000 };
const destination = { ip: "10.96.0.10", port: 80 };

// Bytes worked out by hand from haproxy's proxy-protocol.txt, not by our encoder.
const known: readonly { name: string; hex: string; header: ProxyHeader }[] = [
  {
    name: "TCP4",
    hex: `${SIGNATURE}2111000c0af400090a60000a9c400050`,
    header: { command: "PROXY", family: "TCP4", source, destination, tlvs: [] },
  },
  {
    name: "TCP4 with an authority and a TLV of ours",
    hex: `${SIGNATURE}211100170af400090a60000a9c400050020003616263e0000201ff`,
    header: {
      command: "PROXY",
      family: "TCP4",
      source,
      destination,
      tlvs: [authorityTlv("abc"), { type: 0xe0, value: Uint8Array.from([1, 255]) }],
    },
  },
  {
    name: "TCP6 with a mapped source",
    hex: `${SIGNATURE}2121002400000000000000000000ffff0af4000920010db80000000000000000000000079c4001bb`,
    header: {
      command: "PROXY",
      family: "TCP6",
      source: { ip: "::ffff:10.244.0.9", port: 40_000 },
      destination: { ip: "2001:db8::7", port: 443 },
      tlvs: [],
    },
  },
  { name: "LOCAL", hex: `${SIGNATURE}20000000`, header: { command: "LOCAL", tlvs: [] } },
];

for (const { name, hex, header } of known) {
  test(`${name}: encodes and decodes the bytes of the specification`, () => {
    const bytes = Buffer.from(hex, "hex");
    assert.equal(encodeProxyHeader(header).toString("hex"), hex);
    assert.deepEqual(decodeProxyHeader(Buffer.concat([bytes, Buffer.from("payload")])), {
      kind: "header",
      header: withPlainBytes(header),
      length: bytes.length,
    });
  });

  test(`${name}: byte by byte it needs more until it is there`, () => {
    const bytes = Buffer.concat([Buffer.from("zz"), Buffer.from(hex, "hex")]);
    for (let end = 2; end < bytes.length; end += 1) {
      const decoding = decodeProxyHeader(bytes, 2, end);
      assert.equal(decoding.kind, "need-more");
      assert.ok(decoding.kind === "need-more" && decoding.missing >= 1 && decoding.missing <= bytes.length - end);
    }
    assert.equal(decodeProxyHeader(bytes, 2).kind, "header");
  });
}

const refused: readonly [string, string, string][] = [
  ["another protocol", Buffer.from("GET / HTTP/1.1\r\n\r\n").toString("hex"), "not a PROXY protocol v2 signature"],
  ["one wrong byte early", "0d0a0e", "not a PROXY protocol v2 signature"],
  ["version 1", `${SIGNATURE}11`, "unknown version or command"],
  ["an unknown command", `${SIGNATURE}22`, "unknown version or command"],
  ["UDP", `${SIGNATURE}2112000c0af400090a60000a9c400050`, "only TCP over IPv4 and IPv6 is supported"],
  ["a unix address", `${SIGNATURE}213100d8${"00".repeat(216)}`, "only TCP over IPv4 and IPv6 is supported"],
  ["cut addresses", `${SIGNATURE}2111000b0af400090a60000a9c4000`, "the addresses are cut"],
  ["a cut TLV", `${SIGNATURE}211100100af400090a60000a9c40005002000561`, "a TLV is cut"],
  ["a cut TLV head", `${SIGNATURE}2111000e0af400090a60000a9c4000500200`, "a TLV is cut"],
  ["a huge length", `${SIGNATURE}2111ffff`, "the header is too long"],
];
for (const [name, hex, reason] of refused) {
  test(`refuses ${name}`, () => {
    assert.deepEqual(decodeProxyHeader(Buffer.from(hex, "hex")), { kind: "invalid", reason });
  });
}

test("LOCAL with addresses: they are ignored, as the specification says", () => {
  const bytes = Buffer.from(`${SIGNATURE}2011000c0af400090a60000a9c400050`, "hex");
  assert.deepEqual(decodeProxyHeader(bytes), { kind: "header", header: { command: "LOCAL", tlvs: [] }, length: 28 });
});

test("any header survives encoding and decoding", () => {
  const port = fc.nat(65_535);
  const endpoint = (ip: fc.Arbitrary<string>) => fc.record({ ip, port }, { noNullPrototype: true });
  const four = fc.ipV4();
  const six = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => textOfIPv6(bytes));
  const tlv = fc.record({ type: fc.nat(255), value: fc.uint8Array({ maxLength: 60 }) }, { noNullPrototype: true });
  const header = fc
    .oneof(fc.tuple(endpoint(four), endpoint(four)), fc.tuple(endpoint(six), endpoint(six)))
    .chain(([from, to]) => fc.array(tlv, { maxLength: 4 }).map((tlvs) => proxyHeader(from, to, tlvs)));
  fc.assert(
    fc.property(header, (value) => {
      const decoding = decodeProxyHeader(encodeProxyHeader(value));
      assert.deepEqual(decoding.kind === "header" && decoding.header, withPlainBytes(value));
    }),
  );
});

test("the authority is found among other TLVs", () => {
  const header = proxyHeader(source, destination, [{ type: 4, value: new Uint8Array(3) }, authorityTlv("orders.shop")]);
  const decoding = decodeProxyHeader(encodeProxyHeader(header));
  assert.equal(decoding.kind === "header" && authorityOf(decoding.header), "orders.shop");
});

test("IPv6 addresses as bytes and text", () => {
  for (const [written, shortest] of [
    ["::", "::"],
    ["::1", "::1"],
    ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["fe80::1%eth0", "fe80::1"],
    ["::ffff:1.2.3.4", "::ffff:1.2.3.4"],
    ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
    ["1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8"],
  ] as const)
    assert.equal(textOfIPv6(bytesOfIPv6(written)), shortest);
});

test("address ranges", () => {
  for (const [range, ip, isInside] of [
    ["10.96.0.0/12", "10.111.255.255", true],
    ["10.96.0.0/12", "10.112.0.0", false],
    ["10.244.0.0/16", "10.244.7.9", true],
    ["10.244.0.0/16", "::ffff:10.244.7.9", true],
    ["0.0.0.0/0", "8.8.8.8", true],
    ["1.2.3.4", "1.2.3.4", true],
    ["1.2.3.4", "1.2.3.5", false],
    ["2001:db8::/32", "2001:db8:1::1", true],
    ["2001:db8::/33", "2001:db8:8000::1", false],
    ["10.0.0.0/8", "example.org", false],
  ] as const)
    assert.equal(parseIpRange(range)?.(ip), isInside, `${ip} in ${range}`);
  for (const text of ["*", "10.0.0.0/33", "10.0.0/8", "a/8", "10.0.0.0/", "10.0.0.0/-1"])
    assert.equal(parseIpRange(text), undefined, text);
  assert.deepEqual(["127.1.2.3", "::1", "0.0.0.0", "10.0.0.1"].map(isLoopbackAddress), [true, true, true, false]);
});

/** Decoded TLVs are plain Uint8Arrays, encoded ones may be Buffers. */
function withPlainBytes(header: ProxyHeader): ProxyHeader {
  return { ...header, tlvs: header.tlvs.map(({ type, value }) => ({ type, value: Uint8Array.from(value) })) };
}
