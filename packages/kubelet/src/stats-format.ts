/** The two forms in which usage is asked for: /metrics/resource (Prometheus text) and /stats/summary (JSON). Pure. Source: Kubernetes, "Node metrics data". */
import { rfc3339Seconds } from "@argyle/core";
import type { ContainerUsage, UsageSample } from "./resource-sampler.ts";

export function formatResourceMetrics(sample: UsageSample): string {
  const rows: Record<string, string[]> = {
    container_cpu_usage_seconds_total: [],
    container_memory_working_set_bytes: [],
    container_start_time_seconds: [],
    pod_cpu_usage_seconds_total: [],
    pod_memory_working_set_bytes: [],
  };
  const add = (name: string, labels: string, value: number) =>
    rows[name]?.push(`${name}{${labels}} ${value} ${sample.at}`);
  for (const { worker, containers } of sample.pods) {
    const { name, namespace } = worker.pod().metadata;
    const pod = `namespace="${namespace}",pod="${name}"`;
    for (const usage of containers) {
      const labels = `container="${usage.container}",${pod}`;
      add("container_cpu_usage_seconds_total", labels, usage.cpuSeconds);
      add("container_memory_working_set_bytes", labels, Math.round(usage.memoryBytes));
      add("container_start_time_seconds", labels, usage.startedAt / 1000);
    }
    const total = sum(containers);
    add("pod_cpu_usage_seconds_total", pod, total.cpuSeconds);
    add("pod_memory_working_set_bytes", pod, Math.round(total.memoryBytes));
  }
  const node = sum(sample.pods.flatMap(({ containers }) => containers));
  const lines = Object.entries(rows).flatMap(([name, values]) => [`# TYPE ${name} ${typeOf(name)}`, ...values]);
  lines.push(
    "# TYPE node_cpu_usage_seconds_total counter",
    `node_cpu_usage_seconds_total ${node.cpuSeconds} ${sample.at}`,
  );
  lines.push("# TYPE node_memory_working_set_bytes gauge");
  lines.push(`node_memory_working_set_bytes ${Math.round(node.memoryBytes)} ${sample.at}`);
  lines.push("# TYPE resource_scrape_error gauge", "resource_scrape_error 0");
  return `${lines.join("\n")}\n`;
}

export function buildStatsSummary(sample: UsageSample, nodeName: string): unknown {
  const time = rfc3339Seconds(sample.at);
  const entry = (usage: Omit<ContainerUsage, "container" | "startedAt">) => ({
    cpu: {
      time,
      usageNanoCores: Math.round(usage.cpuCores * 1e9),
      usageCoreNanoSeconds: Math.round(usage.cpuSeconds * 1e9),
    },
    memory: {
      time,
      workingSetBytes: Math.round(usage.memoryBytes),
      usageBytes: Math.round(usage.memoryBytes),
      rssBytes: Math.round(usage.memoryBytes),
    },
  });
  return {
    node: { nodeName, ...entry(sum(sample.pods.flatMap(({ containers }) => containers))) },
    pods: sample.pods.map(({ worker, containers }) => {
      const { name, namespace, uid } = worker.pod().metadata;
      return {
        podRef: { name, namespace, uid },
        ...entry(sum(containers)),
        containers: containers.map((usage) => ({
          name: usage.container,
          startTime: rfc3339Seconds(usage.startedAt),
          ...entry(usage),
        })),
      };
    }),
  };
}

function typeOf(name: string): string {
  return name.endsWith("_total") ? "counter" : "gauge";
}

function sum(usages: readonly ContainerUsage[]): { cpuSeconds: number; cpuCores: number; memoryBytes: number } {
  const total = { cpuSeconds: 0, cpuCores: 0, memoryBytes: 0 };
  for (const usage of usages) {
    total.cpuSeconds += usage.cpuSeconds;
    total.cpuCores += usage.cpuCores;
    total.memoryBytes += usage.memoryBytes;
  }
  return total;
}
