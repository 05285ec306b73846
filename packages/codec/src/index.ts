export { GrpcMessageCounter } from "./grpc/message-counter.ts";
export {
  decodeGrpcMessage,
  encodeGrpcMessage,
  formatGrpcTimeout,
  GrpcStatus,
  grpcStatusOfHttp,
  httpStatusOfGrpc,
  isGrpcContentType,
  parseGrpcStatus,
  parseGrpcTimeout,
} from "./grpc/status.ts";
export type { HeaderBlock } from "./headers/header-block.ts";
export { createNameList, type NameList } from "./headers/header-names.ts";
export { hasToken, removeConnectionFields, removeHopByHop } from "./headers/hop-by-hop.ts";
export { createHeaderBlock } from "./headers/text-header-block.ts";
export {
  type BodyEvent,
  type CodecError,
  type CodecErrorCode,
  ENVOY_READER_OPTIONS,
  type ErrorEvent,
  type Framing,
  type HeadEvent,
  type Http1Writer,
  type InformationalEvent,
  type OutgoingRequest,
  type OutgoingResponse,
  type ReaderEvent,
  type ReaderLimits,
  type ReaderOptions,
  type RequestEvent,
  type RequestHead,
  type RequestReader,
  type ResponseContext,
  type ResponseEvent,
  type ResponseHead,
  type ResponseReader,
  type SignalEvent,
  type TrailersEvent,
} from "./http1/events.ts";
export { createRequestReader, createResponseReader } from "./http1/reader.ts";
export { reasonPhrase } from "./http1/status.ts";
export { createHttp1Writer } from "./http1/writer.ts";
export {
  createHttp2Connection,
  type Http2ClientConnection,
  type Http2Connection,
  type Http2ServerConnection,
} from "./http2/connection.ts";
export { Http2ErrorCode, http2ErrorName } from "./http2/error-codes.ts";
export type {
  Http2BodyEvent,
  Http2EndEvent,
  Http2Error,
  Http2ErrorEvent,
  Http2Event,
  Http2GoawayEvent,
  Http2HeadEvent,
  Http2InformationalEvent,
  Http2OutgoingRequest,
  Http2OutgoingResponse,
  Http2PingAckEvent,
  Http2RequestHead,
  Http2ResetEvent,
  Http2ResponseHead,
  Http2SettingsEvent,
  Http2SignalEvent,
  Http2TrailersEvent,
  Http2WindowEvent,
  PeerSettings,
} from "./http2/events.ts";
export {
  DEFAULT_HTTP2_SETTINGS,
  ENVOY_HTTP2_LIMITS,
  type Http2Limits,
  type Http2Options,
  type Http2Settings,
} from "./http2/options.ts";
