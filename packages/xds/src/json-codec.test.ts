/** The direct conversion says the same as protobuf-es, or leaves the resource to it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type DescMessage, fromBinary, fromJson, type JsonObject, toBinary, toJson } from "@bufbuild/protobuf";
import { createXdsRegistry } from "./descriptors.ts";
import { createJsonDecoder } from "./json-decoder.ts";
import { createJsonEncoder } from "./json-encoder.ts";
import { createMessageTables } from "./message-tables.ts";
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE, SECRET_TYPE, typeNameOf } from "./type-urls.ts";

declare const __ARGYLE_ROOT__: string;
const { files } = createXdsRegistry(readFileSync(`${__ARGYLE_ROOT__}/dist/assets/xds.binpb`));
const tables = createMessageTables(() => files);
const encode = createJsonEncoder(tables);
const decode = createJsonDecoder(tables);
const registry = files;
const HCM =
  "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager" as const;

function descOf(type: string): DescMessage {
  const desc = files.getMessage(typeNameOf(type));
  assert.ok(desc);
  return desc;
}

const struct = { a: 1, b: [true, null, "x", { c: 1.5 }], d: {}, e: "é€" };
const filter = (typed_config: object) => ({ name: "f", typed_config });
const chain = (typed_config: object) => ({ name: "l", filter_chains: [{ filters: [filter(typed_config)] }] });

const same: readonly { readonly name: string; readonly type: string; readonly json: object }[] = [
  { name: "an empty message", type: CLUSTER_TYPE, json: {} },
  {
    name: "scalars, enums, durations and wrappers",
    type: CLUSTER_TYPE,
    json: {
      name: "outbound|80||é.svc",
      type: "EDS",
      lb_policy: "RING_HASH",
      connect_timeout: "0.250s",
      per_connection_buffer_limit_bytes: 0,
      dns_refresh_rate: "5.000000001s",
      respect_dns_ttl: true,
      circuit_breakers: {
        thresholds: [{ priority: "HIGH", max_connections: 4294967295, track_remaining: true }, { max_retries: 1 }],
      },
      outlier_detection: { consecutive_5xx: 5, interval: "10s", max_ejection_percent: 100 },
      ring_hash_lb_config: { minimum_ring_size: 1024 },
      common_lb_config: { healthy_panic_threshold: { value: 33.25 } },
    },
  },
  {
    name: "defaults that are written out are left out",
    type: CLUSTER_TYPE,
    json: { name: "", type: "STATIC", lb_policy: "ROUND_ROBIN", respect_dns_ttl: false, common_lb_config: {} },
  },
  { name: "undefined and null members", type: CLUSTER_TYPE, json: { name: "a", alt_stat_name: undefined, type: null } },
  {
    name: "lowerCamelCase names",
    type: CLUSTER_TYPE,
    json: { name: "a", connectTimeout: "1s", edsClusterConfig: { serviceName: "b" } },
  },
  {
    name: "structs in metadata, and maps of Any",
    type: CLUSTER_TYPE,
    json: {
      name: "a",
      metadata: { filter_metadata: { istio: struct, "envoy.lb": {} } },
      typed_extension_protocol_options: {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
          "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
          explicit_http_config: { http2_protocol_options: { max_concurrent_streams: 1073741824 } },
        },
      },
    },
  },
  {
    name: "an HTTP connection manager with a TypedStruct inside",
    type: LISTENER_TYPE,
    json: chain({
      "@type": HCM,
      stat_prefix: "x".repeat(200),
      rds: { config_source: { ads: {}, initial_fetch_timeout: "0s", resource_api_version: "V3" } },
      tracing: { random_sampling: { value: 1.5 }, custom_tags: [{ tag: "t", literal: { value: "v" } }] },
      http_filters: [
        filter({
          "@type": "type.googleapis.com/udpa.type.v1.TypedStruct",
          type_url: "type.googleapis.com/stats.PluginConfig",
          value: struct,
        }),
      ],
    }),
  },
  {
    name: "content that is longer than 16 kB",
    type: ROUTE_TYPE,
    json: {
      name: "80",
      virtual_hosts: Array.from({ length: 300 }, (_, i) => ({
        name: `h${i}`,
        domains: ["a".repeat(120)],
        routes: [{ match: { prefix: "/" }, route: { cluster: "c", timeout: "0s" } }],
      })),
    },
  },
  {
    name: "endpoints",
    type: ENDPOINT_TYPE,
    json: {
      cluster_name: "a",
      endpoints: [
        {
          locality: { region: "r" },
          load_balancing_weight: 1,
          lb_endpoints: [
            {
              endpoint: { address: { socket_address: { address: "10.244.0.1", port_value: 80 } } },
              health_status: "DRAINING",
              metadata: { filter_metadata: { "envoy.transport_socket_match": { tlsMode: "istio" } } },
            },
          ],
        },
      ],
    },
  },
  {
    name: "bytes, packed numbers and 64-bit numbers",
    type: SECRET_TYPE,
    json: { name: "default", tls_certificate: { private_key: { inline_bytes: "AAEC/w==" } } },
  },
  {
    name: "packed numbers",
    type: ROUTE_TYPE,
    json: {
      virtual_hosts: [{ name: "v", domains: ["*"], retry_policy: { retriable_status_codes: [503, 0, 4294967295] } }],
    },
  },
];

for (const { name, type, json } of same) {
  test(`says what protobuf-es says: ${name}`, () => {
    const desc = descOf(type);
    const plain = JSON.parse(JSON.stringify(json)) as JsonObject;
    const reference = fromJson(desc, plain, { registry });
    const bytes = encode(typeNameOf(type), json);
    assert.ok(bytes !== undefined, "was left to protobuf-es");
    const expected = toJson(desc, reference, { registry, useProtoFieldName: true });
    assert.deepEqual(toJson(desc, fromBinary(desc, bytes), { registry, useProtoFieldName: true }), expected);
    for (const encoded of [bytes, toBinary(desc, reference)])
      assert.deepEqual(decode(typeNameOf(type), encoded), expected);
  });
}

const left: readonly { readonly name: string; readonly type: string; readonly json: object }[] = [
  { name: "an unknown field", type: CLUSTER_TYPE, json: { nmae: "a" } },
  { name: "a wrong type", type: CLUSTER_TYPE, json: { name: 1 } },
  { name: "a number that is too large", type: CLUSTER_TYPE, json: { per_connection_buffer_limit_bytes: 2 ** 32 } },
  { name: "a fraction for a whole number", type: CLUSTER_TYPE, json: { per_connection_buffer_limit_bytes: 1.5 } },
  { name: "an unknown enum value", type: CLUSTER_TYPE, json: { lb_policy: "BEST" } },
  { name: "a wrong duration", type: CLUSTER_TYPE, json: { connect_timeout: "1m" } },
  { name: "two members of a oneof", type: CLUSTER_TYPE, json: { type: "EDS", cluster_type: { name: "x" } } },
  { name: "both spellings of a field", type: CLUSTER_TYPE, json: { connect_timeout: "1s", connectTimeout: "1s" } },
  { name: "@type where no Any is", type: CLUSTER_TYPE, json: { eds_cluster_config: { "@type": "x" } } },
  { name: "half a surrogate pair", type: CLUSTER_TYPE, json: { name: "\ud800" } },
  { name: "an Any of a foreign type", type: LISTENER_TYPE, json: chain({ "@type": "type.googleapis.com/x.Y" }) },
  { name: "an Any without type", type: LISTENER_TYPE, json: chain({ a: 1 }) },
  { name: "base64 that is none", type: SECRET_TYPE, json: { generic_secret: { secret: { inline_bytes: "a" } } } },
  { name: "a message that is no object", type: CLUSTER_TYPE, json: { eds_cluster_config: [] } },
];

for (const { name, type, json } of left) {
  test(`is left to protobuf-es: ${name}`, () => assert.equal(encode(typeNameOf(type), json), undefined));
}

test("bytes that end too early, anywhere, are never read as something whole", () => {
  for (const { type, json } of same) {
    const bytes = encode(typeNameOf(type), json);
    assert.ok(bytes !== undefined);
    const desc = descOf(type);
    for (let length = 0; length < Math.min(bytes.length, 400); length++) {
      const cut = bytes.subarray(0, length);
      const direct = decode(typeNameOf(type), cut);
      if (direct === undefined) continue;
      // Between two fields a cut is a message of its own.
      assert.deepEqual(direct, toJson(desc, fromBinary(desc, cut), { registry, useProtoFieldName: true }));
    }
  }
});

test("a byte that is not what it was gives what protobuf-es makes of it, or is left to it", () => {
  for (const { type, json } of same) {
    const bytes = encode(typeNameOf(type), json);
    assert.ok(bytes !== undefined);
    const desc = descOf(type);
    for (let at = 0; at < Math.min(bytes.length, 300); at++) {
      for (const flip of [1, 0x08, 0x80]) {
        const broken: Uint8Array = Uint8Array.from(bytes);
        broken[at] = (broken[at] ?? 0) ^ flip;
        const direct = decode(typeNameOf(type), broken);
        if (direct === undefined) continue;
        assert.deepEqual(direct, toJson(desc, fromBinary(desc, broken), { registry, useProtoFieldName: true }));
      }
    }
  }
});
