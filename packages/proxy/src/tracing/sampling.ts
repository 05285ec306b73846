/**
 * How likely a request that brings no decision of its own is traced: by client_sampling when the client asks for it (x-client-trace-id, or
 * x-envoy-force-trace from inside), else by random_sampling; never more than overall_sampling.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/intro/arch_overview/observability/tracing#sampling
 */
import type { HeaderBlock } from "@argyle/codec";
import type { TracingConfig } from "../config/tracing-config.ts";

export function samplingPercent(
  config: TracingConfig,
  request: { readonly headers: HeaderBlock; readonly isInternal: boolean },
): number {
  const { headers } = request;
  const isForced = request.isInternal && headers.has("x-envoy-force-trace");
  const asked = isForced ? 100 : headers.has("x-client-trace-id") ? config.clientSampling : config.randomSampling;
  return Math.min(asked, config.overallSampling);
}
