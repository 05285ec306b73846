/**
 * The gRPC messages that Argyle's own code builds and reads, between plain objects (types/discovery.ts) and bytes.
 * Resources stay packed.
 */
import { formatProblems, MeshError, type Result } from "@argyle/core";
import { create, type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import { decodeDeltaResponse, encodeDeltaResponse } from "./delta-response.ts";
import type { XdsRegistry } from "./descriptors.ts";
import { ProtoWriter } from "./proto-writer.ts";
import type { Node } from "./types/core.ts";
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
  PackedResource,
  Status,
} from "./types/discovery.ts";

export interface Codec<T> {
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): T;
}

export interface CertificateRequest {
  /** PEM */
  readonly csr: string;
  readonly validitySeconds: number;
}

export interface CertificateResponse {
  /** PEM: the leaf first, the root last. */
  readonly certChain: readonly string[];
}

export interface XdsWire {
  readonly discoveryRequest: Codec<DiscoveryRequest>;
  readonly discoveryResponse: Codec<DiscoveryResponse>;
  readonly deltaRequest: Codec<DeltaDiscoveryRequest>;
  readonly deltaResponse: Codec<DeltaDiscoveryResponse>;
  readonly certificateRequest: Codec<CertificateRequest>;
  readonly certificateResponse: Codec<CertificateResponse>;
}

interface RawStatus {
  readonly code: number;
  readonly message: string;
}
/** As proto3 JSON; what is empty is left out. */
interface RequestJson {
  readonly node?: Node;
  readonly type_url?: string;
  readonly version_info?: string;
  readonly resource_names?: readonly string[];
  readonly resource_names_subscribe?: readonly string[];
  readonly resource_names_unsubscribe?: readonly string[];
  readonly initial_resource_versions?: Readonly<Record<string, string>>;
  readonly response_nonce?: string;
  readonly error_detail?: Partial<RawStatus>;
}
/** What protobuf-es gives: camelCase fields, defaults filled in. */
interface RawResponse {
  readonly typeUrl: string;
  readonly versionInfo: string;
  readonly nonce: string;
  readonly resources: readonly PackedResource[];
}
const DISCOVERY = "envoy.service.discovery.v3";

export function createXdsWire(registry: XdsRegistry): XdsWire {
  const find = (name: string): DescMessage => {
    const desc = registry.files.getMessage(name);
    if (desc === undefined) throw new Error(`the descriptor set lacks ${name}`);
    return desc;
  };
  const writer = new ProtoWriter();
  const requestCodec = <T>(
    type: string,
    toJson: (request: T) => RequestJson,
    fromJson: (json: RequestJson) => T,
  ): Codec<T> => ({
    encode: (request) => orThrow(registry.encode(type, toJson(request))),
    decode: (bytes) => fromJson(orThrow(registry.decode(type, bytes))),
  });

  return {
    discoveryRequest: requestCodec<DiscoveryRequest>(
      `${DISCOVERY}.DiscoveryRequest`,
      ({ typeUrl, versionInfo, resourceNames, responseNonce, node, errorDetail }) => ({
        ...nodeOf(node),
        type_url: typeUrl,
        version_info: versionInfo,
        resource_names: resourceNames,
        response_nonce: responseNonce,
        ...(errorDetail === undefined ? {} : { error_detail: errorDetail }),
      }),
      (json) => ({
        typeUrl: json.type_url ?? "",
        versionInfo: json.version_info ?? "",
        resourceNames: json.resource_names ?? [],
        responseNonce: json.response_nonce ?? "",
        ...nodeOf(json.node),
        ...statusOf(json.error_detail),
      }),
    ),
    discoveryResponse: codec<DiscoveryResponse, RawResponse>(
      () => find(`${DISCOVERY}.DiscoveryResponse`),
      (response) => ({ ...response }),
      ({ typeUrl, versionInfo, nonce, resources }) => ({
        typeUrl,
        versionInfo,
        nonce,
        resources: resources.map(unwrapResource(find(`${DISCOVERY}.Resource`))),
      }),
    ),
    deltaRequest: requestCodec<DeltaDiscoveryRequest>(
      `${DISCOVERY}.DeltaDiscoveryRequest`,
      ({ typeUrl, subscribe, unsubscribe, initialResourceVersions, responseNonce, node, errorDetail }) => ({
        ...nodeOf(node),
        type_url: typeUrl,
        resource_names_subscribe: subscribe,
        resource_names_unsubscribe: unsubscribe,
        initial_resource_versions: Object.fromEntries(initialResourceVersions),
        response_nonce: responseNonce,
        ...(errorDetail === undefined ? {} : { error_detail: errorDetail }),
      }),
      (json) => ({
        typeUrl: json.type_url ?? "",
        subscribe: json.resource_names_subscribe ?? [],
        unsubscribe: json.resource_names_unsubscribe ?? [],
        initialResourceVersions: new Map(Object.entries(json.initial_resource_versions ?? {})),
        responseNonce: json.response_nonce ?? "",
        ...nodeOf(json.node),
        ...statusOf(json.error_detail),
      }),
    ),
    deltaResponse: {
      encode: (response) => encodeDeltaResponse(writer, response),
      decode: decodeDeltaResponse,
    },
    certificateRequest: codec<CertificateRequest, { csr: string; validityDuration: bigint }>(
      () => find("istio.v1.auth.IstioCertificateRequest"),
      ({ csr, validitySeconds }) => ({ csr, validityDuration: BigInt(Math.round(validitySeconds)) }),
      ({ csr, validityDuration }) => ({ csr, validitySeconds: Number(validityDuration) }),
    ),
    certificateResponse: codec<CertificateResponse, { certChain: readonly string[] }>(
      () => find("istio.v1.auth.IstioCertificateResponse"),
      (response) => ({ ...response }),
      ({ certChain }) => ({ certChain }),
    ),
  };
}

function codec<T, Raw>(desc: () => DescMessage, toRaw: (value: T) => object, fromRaw: (raw: Raw) => T): Codec<T> {
  return {
    encode: (value) => toBinary(desc(), create(desc(), toRaw(value) as Record<string, unknown>)),
    decode: (bytes) => fromRaw(fromBinary(desc(), bytes) as unknown as Raw),
  };
}

function statusOf(status: Partial<RawStatus> | undefined): { errorDetail?: Status } {
  return status === undefined ? {} : { errorDetail: { code: status.code ?? 0, message: status.message ?? "" } };
}

function nodeOf(node: Node | undefined): { node?: Node } {
  return node === undefined ? {} : { node };
}

/** A message that cannot be read or written ends the call. */
function orThrow<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new MeshError(formatProblems(result.error), { code: "xds.wire.invalid" });
}

/** A state-of-the-world server may wrap each resource in discovery.v3.Resource. */
function unwrapResource(wrapper: DescMessage): (resource: PackedResource) => PackedResource {
  return ({ typeUrl, value }) => {
    if (!typeUrl.endsWith(`/${wrapper.typeName}`)) return { typeUrl, value };
    const { resource } = fromBinary(wrapper, value) as unknown as { readonly resource?: PackedResource };
    return resource ?? { typeUrl, value };
  };
}
