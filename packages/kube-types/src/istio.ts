/**
 * Istio's semantic validation: what a schema can't say. istiod's validating webhook calls it; errors refuse the object, warnings are shown.
 * All problems at once, each with its field path, in Istio's wording where that is known.
 */

import { checkPeerAuthentication, checkRequestAuthentication } from "./istio/authentication.ts";
import { checkAuthorizationPolicy } from "./istio/authorization-policy.ts";
import { checkDestinationRule } from "./istio/destination-rule.ts";
import { checkEnvoyFilter } from "./istio/envoy-filter.ts";
import { collectFindings, type Findings, type IstioReport } from "./istio/findings.ts";
import { checkGateway } from "./istio/gateway.ts";
import { checkServiceEntry } from "./istio/service-entry.ts";
import { checkSidecar } from "./istio/sidecar.ts";
import { checkTelemetry } from "./istio/telemetry.ts";
import { checkVirtualService } from "./istio/virtual-service.ts";
import { checkProxyConfig, checkWasmPlugin } from "./istio/wasm-plugin.ts";
import { checkWorkloadEntry, checkWorkloadGroup } from "./istio/workload-entry.ts";
import type { KubeObject } from "./object.ts";
import type { Tree } from "./tree.ts";

const CHECKS: Readonly<Record<string, (object: Tree, to: Findings) => void>> = {
  "networking.istio.io VirtualService": checkVirtualService,
  "networking.istio.io DestinationRule": checkDestinationRule,
  "networking.istio.io Gateway": checkGateway,
  "networking.istio.io ServiceEntry": checkServiceEntry,
  "networking.istio.io Sidecar": checkSidecar,
  "networking.istio.io WorkloadEntry": checkWorkloadEntry,
  "networking.istio.io WorkloadGroup": checkWorkloadGroup,
  "networking.istio.io EnvoyFilter": checkEnvoyFilter,
  "networking.istio.io ProxyConfig": checkProxyConfig,
  "security.istio.io AuthorizationPolicy": checkAuthorizationPolicy,
  "security.istio.io PeerAuthentication": checkPeerAuthentication,
  "security.istio.io RequestAuthentication": checkRequestAuthentication,
  "telemetry.istio.io Telemetry": checkTelemetry,
  "extensions.istio.io WasmPlugin": checkWasmPlugin,
};

/** Kinds of other groups have nothing to report. */
export function validateIstio(object: KubeObject): IstioReport {
  const group = object.apiVersion.split("/")[0] ?? "";
  const check = CHECKS[`${group} ${object.kind}`];
  return collectFindings((to) => check?.(object as unknown as Tree, to));
}
