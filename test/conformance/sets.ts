/** The sets we can replay, by the name of their folder. */
import { replay as envoyRouterCheck } from "./envoy-router-check.ts";
import { replay as envoyVectors } from "./envoy-vectors.ts";
import { replay as istioAuthzGoldens } from "./istio-authz-goldens.ts";
import { replay as istioEcho } from "./istio-echo.ts";
import { replay as istioJwt } from "./istio-jwt.ts";
import { replay as istioProxyMetric } from "./istio-proxy-metric.ts";
import { replay as istioSecurity } from "./istio-security.ts";
import { replay as istioSimulation } from "./istio-simulation.ts";
import { replay as istioValidation } from "./istio-validation.ts";
import { replay as llhttp } from "./llhttp.ts";
import { gatewayApi, istioAnalyzers, promqltest, ratelimit } from "./not-built.ts";
import type { Replay } from "./replay.ts";

export const SETS: Readonly<Record<string, Replay>> = {
  "envoy-router-check": envoyRouterCheck,
  "envoy-vectors": envoyVectors,
  "gateway-api": gatewayApi,
  "istio-analyzers": istioAnalyzers,
  "istio-authz-goldens": istioAuthzGoldens,
  "istio-echo": istioEcho,
  "istio-jwt": istioJwt,
  "istio-proxy-metric": istioProxyMetric,
  "istio-security": istioSecurity,
  "istio-simulation": istioSimulation,
  "istio-validation": istioValidation,
  llhttp,
  promqltest,
  ratelimit,
};
