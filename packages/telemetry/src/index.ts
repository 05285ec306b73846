export {
  compileJsonFormat,
  compileTextFormat,
  ENVOY_DEFAULT_FORMAT,
  type Formatter,
  ISTIO_DEFAULT_FORMAT,
} from "./access-log.ts";
export {
  type AnyFamily,
  type Cell,
  type Counter,
  createRegistry,
  ENVOY_BUCKETS,
  type Family,
  type FamilyOptions,
  type Gauge,
  type Histogram,
  type HistogramFamily,
  type Registry,
} from "./metrics.ts";
export type { Span, SpanExporter } from "./span.ts";
export type { HeaderSource, StreamRecord } from "./stream-record.ts";
