/** `http_request_duration_seconds` in Prometheus text form, with the labels that the original shop's dashboards expect. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

export interface RequestMetrics {
  observe(method: string, route: string, status: number, seconds: number): void;
  expose(): string;
}

interface Cell {
  readonly counts: number[];
  sum: number;
  count: number;
}

export function createRequestMetrics(service: string): RequestMetrics {
  const cells = new Map<string, Cell>();
  return {
    observe(method, route, status, seconds) {
      const labels = `service="${service}",method="${method}",path="${route}",status_code="${status}",isWS="false"`;
      let cell = cells.get(labels);
      if (cell === undefined) {
        cell = { counts: BUCKETS.map(() => 0), sum: 0, count: 0 };
        cells.set(labels, cell);
      }
      cell.sum += seconds;
      cell.count += 1;
      BUCKETS.forEach((bound, i) => {
        if (cell !== undefined && seconds <= bound) cell.counts[i] = (cell.counts[i] ?? 0) + 1;
      });
    },
    expose() {
      const lines = [
        "# HELP http_request_duration_seconds Time to answer an HTTP request.",
        "# TYPE http_request_duration_seconds histogram",
      ];
      for (const [labels, cell] of cells) {
        BUCKETS.forEach((bound, i) => {
          lines.push(`http_request_duration_seconds_bucket{${labels},le="${bound}"} ${cell.counts[i]}`);
        });
        lines.push(`http_request_duration_seconds_bucket{${labels},le="+Inf"} ${cell.count}`);
        lines.push(`http_request_duration_seconds_sum{${labels}} ${cell.sum}`);
        lines.push(`http_request_duration_seconds_count{${labels}} ${cell.count}`);
      }
      return `${lines.join("\n")}\n`;
    },
  };
}
