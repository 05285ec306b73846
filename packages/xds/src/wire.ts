/**
 * The gRPC messages that Argyle's own code builds and reads, between plain objects (types/discovery.ts) and bytes.
 * Resources stay packed; only the node goes through JSON.
 */
import { create, type DescMessage, fromBinary, fromJson, type JsonObject, toBinary, toJson } from "@bufbuild/protobuf";
import type { XdsRegistry } from "./descriptors.ts";
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

/** What protobuf-es gives for the messages below: camelCase fields, defaults filled in. */
interface RawStatus {
  readonly code: number;
  readonly message: string;
}
interface RawRequest {
  readonly typeUrl: string;
  readonly versionInfo: string;
  readonly resourceNames: readonly string[];
  readonly responseNonce: string;
  readonly node?: object;
  readonly errorDetail?: RawStatus;
}
interface RawResponse {
  readonly typeUrl: string;
  readonly versionInfo: string;
  readonly nonce: string;
  readonly resources: readonly PackedResource[];
}
interface RawDeltaRequest {
  readonly typeUrl: string;
  readonly resourceNamesSubscribe: readonly string[];
  readonly resourceNamesUnsubscribe: readonly string[];
  readonly initialResourceVersions: Readonly<Record<string, string>>;
  readonly responseNonce: string;
  readonly node?: object;
  readonly errorDetail?: RawStatus;
}
interface RawDeltaResponse {
  readonly typeUrl: string;
  readonly systemVersionInfo: string;
  readonly nonce: string;
  readonly resources: readonly {
    readonly name: string;
    readonly version: string;
    readonly resource?: PackedResource;
  }[];
  readonly removedResources: readonly string[];
}

const DISCOVERY = "envoy.service.discovery.v3";

export function createXdsWire(registry: XdsRegistry): XdsWire {
  const find = (name: string): DescMessage => {
    const desc = registry.files.getMessage(name);
    if (desc === undefined) throw new Error(`the descriptor set lacks ${name}`);
    return desc;
  };
  const nodeDesc = find("envoy.config.core.v3.Node");
  const encodeNode = (node: Node | undefined) =>
    node === undefined ? {} : { node: fromJson(nodeDesc, node as unknown as JsonObject, { registry: registry.files }) };
  const decodeNode = (node: object | undefined) => {
    if (node === undefined) return {};
    const json = toJson(nodeDesc, node as never, { registry: registry.files, useProtoFieldName: true });
    return { node: json as unknown as Node };
  };

  return {
    discoveryRequest: codec<DiscoveryRequest, RawRequest>(
      find(`${DISCOVERY}.DiscoveryRequest`),
      ({ node, errorDetail, ...rest }) => ({ ...rest, ...encodeNode(node), ...statusOf(errorDetail) }),
      ({ typeUrl, versionInfo, resourceNames, responseNonce, node, errorDetail }) => ({
        typeUrl,
        versionInfo,
        resourceNames,
        responseNonce,
        ...decodeNode(node),
        ...statusOf(errorDetail),
      }),
    ),
    discoveryResponse: codec<DiscoveryResponse, RawResponse>(
      find(`${DISCOVERY}.DiscoveryResponse`),
      (response) => ({ ...response }),
      ({ typeUrl, versionInfo, nonce, resources }) => ({
        typeUrl,
        versionInfo,
        nonce,
        resources: resources.map(unwrapResource(find(`${DISCOVERY}.Resource`))),
      }),
    ),
    deltaRequest: codec<DeltaDiscoveryRequest, RawDeltaRequest>(
      find(`${DISCOVERY}.DeltaDiscoveryRequest`),
      ({ typeUrl, subscribe, unsubscribe, initialResourceVersions, responseNonce, node, errorDetail }) => ({
        typeUrl,
        resourceNamesSubscribe: subscribe,
        resourceNamesUnsubscribe: unsubscribe,
        initialResourceVersions: Object.fromEntries(initialResourceVersions),
        responseNonce,
        ...encodeNode(node),
        ...statusOf(errorDetail),
      }),
      (raw) => ({
        typeUrl: raw.typeUrl,
        subscribe: raw.resourceNamesSubscribe,
        unsubscribe: raw.resourceNamesUnsubscribe,
        initialResourceVersions: new Map(Object.entries(raw.initialResourceVersions)),
        responseNonce: raw.responseNonce,
        ...decodeNode(raw.node),
        ...statusOf(raw.errorDetail),
      }),
    ),
    deltaResponse: codec<DeltaDiscoveryResponse, RawDeltaResponse>(
      find(`${DISCOVERY}.DeltaDiscoveryResponse`),
      (response) => ({ ...response }),
      ({ typeUrl, systemVersionInfo, nonce, resources, removedResources }) => ({
        typeUrl,
        systemVersionInfo,
        nonce,
        removedResources,
        resources: resources.map(({ name, version, resource }) => ({
          name,
          version,
          resource: { typeUrl: resource?.typeUrl ?? typeUrl, value: resource?.value ?? new Uint8Array() },
        })),
      }),
    ),
    certificateRequest: codec<CertificateRequest, { csr: string; validityDuration: bigint }>(
      find("istio.v1.auth.IstioCertificateRequest"),
      ({ csr, validitySeconds }) => ({ csr, validityDuration: BigInt(Math.round(validitySeconds)) }),
      ({ csr, validityDuration }) => ({ csr, validitySeconds: Number(validityDuration) }),
    ),
    certificateResponse: codec<CertificateResponse, { certChain: readonly string[] }>(
      find("istio.v1.auth.IstioCertificateResponse"),
      (response) => ({ ...response }),
      ({ certChain }) => ({ certChain }),
    ),
  };
}

function codec<T, Raw>(desc: DescMessage, toRaw: (value: T) => object, fromRaw: (raw: Raw) => T): Codec<T> {
  return {
    encode: (value) => toBinary(desc, create(desc, toRaw(value) as Record<string, unknown>)),
    decode: (bytes) => fromRaw(fromBinary(desc, bytes) as unknown as Raw),
  };
}

function statusOf(status: RawStatus | undefined): { errorDetail?: Status } {
  return status === undefined ? {} : { errorDetail: { code: status.code, message: status.message } };
}

/** A state-of-the-world server may wrap each resource in discovery.v3.Resource. */
function unwrapResource(wrapper: DescMessage): (resource: PackedResource) => PackedResource {
  return ({ typeUrl, value }) => {
    if (!typeUrl.endsWith(`/${wrapper.typeName}`)) return { typeUrl, value };
    const { resource } = fromBinary(wrapper, value) as unknown as { readonly resource?: PackedResource };
    return resource ?? { typeUrl, value };
  };
}
