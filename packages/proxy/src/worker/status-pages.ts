/**
 * The pages of pilot-agent (15020), the readiness port (15021) and Envoy's metrics (15090). What is merged into 15020's metrics: the proxy's own,
 * the agent's, and the application's when its annotations ask for scraping.
 * https://istio.io/latest/docs/ops/integrations/prometheus/#option-1-metrics-merging
 */
import type { Registry } from "@argyle/telemetry";
import type { AdminResponse } from "../admin/admin.ts";
import type { AgentStatus } from "../agent/agent.ts";

export interface StatusPages {
  readonly registry: Registry;
  readonly isReady: () => boolean;
  readonly agent: () => AgentStatus | undefined;
  /** Undefined when there are none, or the application does not answer. */
  readonly appMetrics: () => Promise<string | undefined>;
  readonly quit: () => void;
}

const NOT_FOUND: AdminResponse = { status: 404, type: "text/plain", body: "not found\n" };

export async function answerStatus(pages: StatusPages, method: string, target: string): Promise<AdminResponse> {
  switch (pathOf(target)) {
    case "/healthz/ready":
      return readiness(pages);
    case "/stats/prometheus":
    case "/metrics": {
      const app = await pages.appMetrics();
      const parts = [pages.registry.expose(), agentMetrics(pages.agent()), app ?? ""];
      return metrics(parts.map((part) => (part === "" || part.endsWith("\n") ? part : `${part}\n`)).join(""));
    }
    case "/quitquitquit":
      if (method !== "POST") return { status: 405, type: "text/plain", body: "Method Not Allowed\n" };
      pages.quit();
      return { status: 200, type: "text/plain", body: "OK\n" };
    default:
      return NOT_FOUND;
  }
}

export function answerReadiness(pages: StatusPages, target: string): AdminResponse {
  return pathOf(target) === "/healthz/ready" ? readiness(pages) : NOT_FOUND;
}

export function answerMetrics(pages: StatusPages, target: string): AdminResponse {
  return pathOf(target) === "/stats/prometheus" ? metrics(pages.registry.expose()) : NOT_FOUND;
}

function readiness(pages: StatusPages): AdminResponse {
  return { status: pages.isReady() ? 200 : 503, type: "text/plain", body: "" };
}

function metrics(body: string): AdminResponse {
  return { status: 200, type: "text/plain; version=0.0.4", body };
}

function agentMetrics(status: AgentStatus | undefined): string {
  if (status === undefined) return "";
  const responses = [...status.types.values()].reduce((sum, type) => sum + type.responses, 0);
  const lines = ["# TYPE istio_agent_xds_proxy_responses counter", `istio_agent_xds_proxy_responses ${responses}`];
  const expiry = status.certificate?.notAfter;
  if (expiry !== undefined)
    lines.push(
      "# TYPE istio_agent_cert_expiry_seconds gauge",
      `istio_agent_cert_expiry_seconds{resource_name="default"} ${Math.floor(expiry / 1000)}`,
    );
  return `${lines.join("\n")}\n`;
}

function pathOf(target: string): string {
  return target.split("?")[0] ?? "";
}
