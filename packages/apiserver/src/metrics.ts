/** The server's own counters in Prometheus' text form, with Kubernetes' names. Bounded: labels come from the registry and closed sets only. */
import type { Store } from "./storage.ts";
import type { WatchHub } from "./watch-hub.ts";

const BUCKETS_SECONDS = [0.005, 0.025, 0.1, 0.5, 1, 5];

export interface RequestMetrics {
  observe(verb: string, resource: string, code: number, seconds: number): void;
  render(store: Store, hub: WatchHub): string;
}

export function createRequestMetrics(): RequestMetrics {
  const requests = new Map<string, number>();
  const durations = new Map<string, { readonly buckets: number[]; sum: number; count: number }>();
  return {
    observe(verb, resource, code, seconds) {
      const key = `code="${code}",resource="${resource}",verb="${verb}"`;
      requests.set(key, (requests.get(key) ?? 0) + 1);
      // Watches last as long as the client likes: their duration says nothing.
      if (verb === "WATCH") return;
      const histogram = durations.get(verb) ?? { buckets: BUCKETS_SECONDS.map(() => 0), sum: 0, count: 0 };
      durations.set(verb, histogram);
      for (const [index, bound] of BUCKETS_SECONDS.entries()) {
        if (seconds <= bound) histogram.buckets[index] = (histogram.buckets[index] ?? 0) + 1;
      }
      histogram.sum += seconds;
      histogram.count += 1;
    },
    render(store, hub) {
      const lines = [
        "# HELP apiserver_request_total Requests by verb, resource and response code.",
        "# TYPE apiserver_request_total counter",
      ];
      for (const [labels, count] of requests) lines.push(`apiserver_request_total{${labels}} ${count}`);
      lines.push("# HELP apiserver_request_duration_seconds Time to answer, watches excepted.");
      lines.push("# TYPE apiserver_request_duration_seconds histogram");
      for (const [verb, histogram] of durations) {
        for (const [index, bound] of BUCKETS_SECONDS.entries()) {
          lines.push(
            `apiserver_request_duration_seconds_bucket{verb="${verb}",le="${bound}"} ${histogram.buckets[index]}`,
          );
        }
        lines.push(`apiserver_request_duration_seconds_bucket{verb="${verb}",le="+Inf"} ${histogram.count}`);
        lines.push(`apiserver_request_duration_seconds_sum{verb="${verb}"} ${histogram.sum}`);
        lines.push(`apiserver_request_duration_seconds_count{verb="${verb}"} ${histogram.count}`);
      }
      lines.push(
        "# HELP apiserver_storage_objects Stored objects by resource.",
        "# TYPE apiserver_storage_objects gauge",
      );
      for (const [key, count] of store.sizes()) {
        const [group = "", plural = ""] = key.split("/");
        lines.push(`apiserver_storage_objects{resource="${group === "" ? plural : `${plural}.${group}`}"} ${count}`);
      }
      lines.push("# HELP apiserver_longrunning_requests Open watches.", "# TYPE apiserver_longrunning_requests gauge");
      lines.push(`apiserver_longrunning_requests{verb="WATCH"} ${hub.watchers()}`, "");
      return lines.join("\n");
    },
  };
}
