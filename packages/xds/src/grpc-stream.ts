/**
 * The I/O rim of xDS on @grpc/grpc-js: method definitions with our serialisers, for servers, and the two calls that a client makes.
 * Nothing here knows the protocol's rules; those are in the sessions.
 */
import type { Client, ClientDuplexStream, Metadata, MethodDefinition, ServiceError } from "@grpc/grpc-js";
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
} from "./types/discovery.ts";
import type { CertificateRequest, CertificateResponse, Codec, XdsWire } from "./wire.ts";

const ADS = "/envoy.service.discovery.v3.AggregatedDiscoveryService";

export interface AdsMethods {
  readonly StreamAggregatedResources: MethodDefinition<DiscoveryRequest, DiscoveryResponse>;
  readonly DeltaAggregatedResources: MethodDefinition<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;
}

export interface CertificateMethods {
  readonly CreateCertificate: MethodDefinition<CertificateRequest, CertificateResponse>;
}

export function adsMethods(wire: XdsWire): AdsMethods {
  return {
    StreamAggregatedResources: method(
      `${ADS}/StreamAggregatedResources`,
      true,
      wire.discoveryRequest,
      wire.discoveryResponse,
    ),
    DeltaAggregatedResources: method(`${ADS}/DeltaAggregatedResources`, true, wire.deltaRequest, wire.deltaResponse),
  };
}

export function certificateMethods(wire: XdsWire): CertificateMethods {
  return {
    CreateCertificate: method(
      "/istio.v1.auth.IstioCertificateService/CreateCertificate",
      false,
      wire.certificateRequest,
      wire.certificateResponse,
    ),
  };
}

/** The caller owns the stream: it must handle `error` and cancel it. */
export function openDeltaStream(
  client: Client,
  wire: XdsWire,
  metadata: Metadata,
): ClientDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse> {
  const { path, requestSerialize, responseDeserialize } = adsMethods(wire).DeltaAggregatedResources;
  return client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata);
}

export function openSotwStream(
  client: Client,
  wire: XdsWire,
  metadata: Metadata,
): ClientDuplexStream<DiscoveryRequest, DiscoveryResponse> {
  const { path, requestSerialize, responseDeserialize } = adsMethods(wire).StreamAggregatedResources;
  return client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata);
}

export function createCertificate(
  client: Client,
  wire: XdsWire,
  metadata: Metadata,
  request: CertificateRequest,
  signal: AbortSignal,
): Promise<CertificateResponse> {
  const { path, requestSerialize, responseDeserialize } = certificateMethods(wire).CreateCertificate;
  return new Promise((resolve, reject) => {
    const call = client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      metadata,
      (error: ServiceError | null, response?: CertificateResponse) => {
        signal.removeEventListener("abort", cancel);
        if (error !== null || response === undefined) reject(error ?? new Error("no response"));
        else resolve(response);
      },
    );
    const cancel = () => call.cancel();
    signal.addEventListener("abort", cancel, { once: true });
    if (signal.aborted) cancel();
  });
}

function method<Request, Response>(
  path: string,
  isStream: boolean,
  request: Codec<Request>,
  response: Codec<Response>,
): MethodDefinition<Request, Response> {
  return {
    path,
    requestStream: isStream,
    responseStream: isStream,
    requestSerialize: (value) => toBuffer(request.encode(value)),
    requestDeserialize: (bytes) => request.decode(bytes),
    responseSerialize: (value) => toBuffer(response.encode(value)),
    responseDeserialize: (bytes) => response.decode(bytes),
  };
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
