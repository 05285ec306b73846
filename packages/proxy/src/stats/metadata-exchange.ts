/**
 * Istio's TCP metadata exchange: both sides of a connection with ALPN istio-peer-exchange put their workload in front of the first byte.
 *   preamble = magic 0x3D230467, length (both big-endian uint32), google.protobuf.Any of a Struct {x-envoy-peer-metadata, x-envoy-peer-metadata-id}
 * Sans-io. A peer without the magic speaks plainly: its bytes pass unchanged. A length over the limit is an attack or a defect: the connection ends.
 * https://github.com/istio/proxy/tree/master/source/extensions/filters/network/metadata_exchange
 */
import type { Counter, Registry } from "@argyle/telemetry";
import { createPeerDirectory, peerMetadata, type Workload, workloadOf } from "./peer-metadata.ts";
import { decodeFields, decodeStruct, encodeAny, encodeStruct } from "./struct-wire.ts";

export const EXCHANGE_PROTOCOL = "istio-peer-exchange";
const MAGIC = 0x3d230467;
const HEAD_BYTES = 8;
const MAX_BYTES = 16 * 1024;
const STRUCT_TYPE = "type.googleapis.com/google.protobuf.Struct";

/** What one proxy needs for all its connections. */
export interface MetadataExchange {
  readonly preamble: Buffer;
  readonly stats: ExchangeStats;
  reader(): PreambleReader;
}

export interface ExchangeStats {
  readonly alpnFound: Counter;
  readonly alpnNotFound: Counter;
  readonly headerNotFound: Counter;
  readonly headerError: Counter;
  readonly metadataAdded: Counter;
}

export type PreambleEvent =
  | { readonly kind: "need-more" }
  /** `rest` is the stream from its first byte on. `peer` is undefined when it did not say who it is. */
  | { readonly kind: "done"; readonly peer: Workload | undefined; readonly rest: Buffer }
  | { readonly kind: "too-long" };

export interface PreambleReader {
  feed(bytes: Buffer): PreambleEvent;
  /** The peer ended its side before a whole preamble: what came is its stream. */
  finish(): Buffer;
}

export function createMetadataExchange(
  registry: Registry,
  node: { readonly id: string; readonly metadata: Readonly<Record<string, unknown>> },
): MetadataExchange {
  const counter = (name: string) =>
    registry.counter({ name: `envoy_metadata_exchange_${name}`, statName: () => `metadata_exchange.${name}` }).cell();
  const peers = createPeerDirectory((text) => decodeAny(Buffer.from(text, "latin1")));
  const stats = {
    alpnFound: counter("alpn_protocol_found"),
    alpnNotFound: counter("alpn_protocol_not_found"),
    headerNotFound: counter("initial_header_not_found"),
    headerError: counter("header_not_found"),
    metadataAdded: counter("metadata_added"),
  };
  return {
    preamble: encodePreamble(node.metadata, node.id),
    stats,
    reader: () => createPreambleReader(stats, (any) => peers.lookup(any.toString("latin1"))),
  };
}

export function encodePreamble(metadata: Readonly<Record<string, unknown>>, id: string): Buffer {
  const struct = encodeStruct({
    "x-envoy-peer-metadata": peerMetadata(metadata),
    "x-envoy-peer-metadata-id": id,
  });
  const any = encodeAny(STRUCT_TYPE, struct);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(MAGIC, 0);
  head.writeUInt32BE(any.length, 4);
  return Buffer.concat([head, any]);
}

function createPreambleReader(stats: ExchangeStats, peerOf: (any: Buffer) => Workload | undefined): PreambleReader {
  let bytes: Buffer = Buffer.alloc(0);
  return {
    feed(chunk) {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      if (!startsWithMagic(bytes)) {
        stats.headerNotFound.add(1);
        return { kind: "done", peer: undefined, rest: bytes };
      }
      if (bytes.length < HEAD_BYTES) return { kind: "need-more" };
      const length = bytes.readUInt32BE(4);
      if (length > MAX_BYTES) {
        stats.headerError.add(1);
        return { kind: "too-long" };
      }
      if (bytes.length < HEAD_BYTES + length) return { kind: "need-more" };
      const peer = peerOf(bytes.subarray(HEAD_BYTES, HEAD_BYTES + length));
      if (peer === undefined) stats.headerError.add(1);
      return { kind: "done", peer, rest: bytes.subarray(HEAD_BYTES + length) };
    },
    finish: () => bytes,
  };
}

function startsWithMagic(bytes: Buffer): boolean {
  for (let i = 0; i < Math.min(4, bytes.length); i++) {
    if (bytes[i] !== ((MAGIC >>> (24 - 8 * i)) & 0xff)) return false;
  }
  return true;
}

function decodeAny(bytes: Buffer): Workload | undefined {
  const fields = decodeFields(bytes);
  const type = fields?.find((field) => field.field === 1)?.content.toString("latin1");
  const value = fields?.find((field) => field.field === 2)?.content;
  if (type !== STRUCT_TYPE || value === undefined) return undefined;
  const metadata = decodeStruct(value)?.["x-envoy-peer-metadata"];
  if (typeof metadata !== "object" || metadata === null) return undefined;
  return workloadOf(metadata as Readonly<Record<string, unknown>>);
}
