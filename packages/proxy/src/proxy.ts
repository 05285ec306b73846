/** One proxy (a sidecar, a gateway, or one that runs alone): runtime, listeners and telemetry wired together. It opens no socket by itself. */

import { X509Certificate } from "node:crypto";
import { endTurn } from "./io/turn-end.ts";
import { createListenerSet, type ListenerSet } from "./listener-set.ts";
import type { ProxyDeps } from "./proxy-deps.ts";
import { createRuntime, type Runtime } from "./runtime.ts";
import { createIstioTelemetry, type IstioTelemetry } from "./stats/istio-telemetry.ts";
import { uriSan } from "./tls/secret-store.ts";
import { createTracing } from "./tracing/tracing.ts";

export interface ProxyServer {
  readonly deps: ProxyDeps;
  readonly runtime: Runtime;
  readonly listeners: ListenerSet;
  readonly startedAtMs: number;
  close(): void;
}

export function createProxy(deps: ProxyDeps): ProxyServer {
  const runtime = createRuntime(deps);
  let principal: { readonly version: string; readonly value: string | undefined } | undefined;
  const istio = createIstioTelemetry({
    registry: deps.registry,
    node: deps.node,
    ownPrincipal() {
      const secret = runtime.secrets.get("default");
      if (secret === undefined || secret.config.kind !== "certificate") return undefined;
      if (principal?.version !== secret.version) {
        const certificate = new X509Certificate(secret.config.chain);
        principal = { version: secret.version, value: uriSan(certificate.subjectAltName) };
      }
      return principal.value;
    },
  });
  const tracing = createTracing({ ...deps, snapshot: runtime.snapshot });
  const telemetry: IstioTelemetry = {
    ...istio,
    forHttp: (config, direction) => tracing.extend(istio.forHttp(config, direction), config, direction),
  };
  const listeners = createListenerSet(deps, runtime, telemetry);
  return {
    deps,
    runtime,
    listeners,
    startedAtMs: deps.clock.now(),
    close() {
      listeners.close();
      endTurn();
      tracing.close();
      runtime.close();
    },
  };
}
