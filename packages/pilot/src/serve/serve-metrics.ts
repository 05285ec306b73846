/**
 * istiod's own metrics under Istio's names; cells are resolved once.
 * https://istio.io/latest/docs/reference/commands/pilot-discovery/#metrics
 */
import type { Registry } from "@argyle/telemetry";

export interface ServeMetrics {
  connected(count: number): void;
  triggered(type: string): void;
  pushed(type: string, bytes: number): void;
  pushTook(type: string, seconds: number): void;
  /** From the change of the configuration until it was written to the stream. */
  converged(seconds: number): void;
  rejected(type: string): void;
  encodeFailed(): void;
  csrReceived(): void;
  csrSigned(): void;
  csrRefused(reason: string): void;
  rootExpires(epochSeconds: number): void;
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3, 5, 10, 20, 30];
const BYTES = [1, 10_000, 1_000_000, 4_000_000, 10_000_000, 40_000_000];
const REJECTABLE: ReadonlySet<string> = new Set(["cds", "lds", "rds", "eds"]);

export function createServeMetrics(registry: Registry, version: string): ServeMetrics {
  const connected = registry
    .gauge({ name: "pilot_xds", help: "Number of endpoints connected to this pilot using XDS.", labels: ["version"] })
    .cell(version);
  const triggers = registry.counter({
    name: "pilot_push_triggers",
    help: "Total number of times a push was triggered, labeled by reason for the push.",
    labels: ["type"],
  });
  const pushes = registry.counter({
    name: "pilot_xds_pushes",
    help: "Responses sent to proxies, by resource type.",
    labels: ["type"],
  });
  const size = registry.histogram(
    {
      name: "pilot_xds_config_size_bytes",
      help: "Distribution of configuration sizes pushed to clients.",
      labels: ["type"],
    },
    BYTES,
  );
  const pushTime = registry.histogram(
    {
      name: "pilot_xds_push_time",
      help: "Total time in seconds Pilot takes to push lds, rds, cds and eds.",
      labels: ["type"],
    },
    SECONDS,
  );
  const convergence = registry
    .histogram(
      {
        name: "pilot_proxy_convergence_time",
        help: "Delay in seconds between config change and a proxy receiving all required configuration.",
      },
      SECONDS,
    )
    .cell();
  const rejects = registry
    .counter({ name: "pilot_total_xds_rejects", help: "Total number of XDS responses from pilot rejected by proxies." })
    .cell();
  const internalErrors = registry
    .counter({ name: "pilot_total_xds_internal_errors", help: "Total number of internal XDS errors in pilot." })
    .cell();
  const csrs = registry
    .counter({ name: "citadel_server_csr_count", help: "The number of CSRs received by Citadel server." })
    .cell();
  const issued = registry
    .counter({
      name: "citadel_server_success_cert_issuance_count",
      help: "The number of certificates issuances that have succeeded.",
    })
    .cell();
  const authErrors = registry
    .counter({ name: "citadel_server_authentication_failure_count", help: "The number of authentication failures." })
    .cell();
  const csrErrors = registry
    .counter({ name: "citadel_server_csr_sign_err_count", help: "The number of errors occurred when signing the CSR." })
    .cell();
  const rootExpiry = registry
    .gauge({
      name: "citadel_server_root_cert_expiry_timestamp",
      help: "The unix timestamp, in seconds, when Citadel root cert will expire.",
    })
    .cell();
  return {
    connected: (count) => connected.set(count),
    triggered: (type) => triggers.cell(type).add(1),
    pushed(type, bytes) {
      pushes.cell(type).add(1);
      size.cell(type).observe(bytes);
    },
    pushTook: (type, seconds) => pushTime.cell(type).observe(seconds),
    converged: (seconds) => convergence.observe(seconds),
    rejected(type) {
      rejects.add(1);
      if (REJECTABLE.has(type)) {
        const name = `pilot_xds_${type}_reject`;
        registry
          .counter({ name, help: `Pilot rejected ${type.toUpperCase()} configs.` })
          .cell()
          .add(1);
      }
    },
    encodeFailed: () => internalErrors.add(1),
    csrReceived: () => csrs.add(1),
    csrSigned: () => issued.add(1),
    csrRefused: (reason) => (reason === "authentication" ? authErrors : csrErrors).add(1),
    rootExpires: (epochSeconds) => rootExpiry.set(epochSeconds),
  };
}
