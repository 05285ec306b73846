export type { HeaderBlock } from "./headers/header-block.ts";
export { hasToken, removeHopByHop } from "./headers/hop-by-hop.ts";
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
