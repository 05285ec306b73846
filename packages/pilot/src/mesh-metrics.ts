/** Metrics of istiod about the mesh and its webhooks, under Istio's names. https://istio.io/latest/docs/reference/commands/pilot-discovery/#metrics */
import type { Registry } from "@argyle/telemetry";
import type { MeshState } from "./model/mesh-state.ts";

export interface MeshMetrics {
  observe(state: MeshState): void;
  injected(isSuccess: boolean): void;
  validated(isValid: boolean, resource: string): void;
}

export function createMeshMetrics(registry: Registry, build: { readonly tag: string }): MeshMetrics {
  const gauge = (name: string, help: string) => registry.gauge({ name, help }).cell();
  const services = gauge("pilot_services", "Total services known to pilot.");
  const virtualServices = gauge("pilot_virt_services", "Total virtual services known to pilot.");
  const counter = (name: string, help: string) => registry.counter({ name, help });
  const success = counter(
    "sidecar_injection_success_total",
    "Total number of successful sidecar injection requests.",
  ).cell();
  const failure = counter(
    "sidecar_injection_failure_total",
    "Total number of failed sidecar injection requests.",
  ).cell();
  const passed = registry.counter({
    name: "galley_validation_passed",
    help: "Resource is valid.",
    labels: ["resource"],
  });
  const failed = registry.counter({
    name: "galley_validation_failed",
    help: "Resource validation failed.",
    labels: ["resource"],
  });
  registry
    .gauge({ name: "istio_build", help: "Istio component build info", labels: ["component", "tag"] })
    .cell("pilot", build.tag)
    .set(1);
  return {
    observe(state) {
      services.set(state.services.length);
      virtualServices.set(state.virtualServices.length);
    },
    injected: (isSuccess) => (isSuccess ? success : failure).add(1),
    validated: (isValid, resource) => (isValid ? passed : failed).cell(resource).add(1),
  };
}
