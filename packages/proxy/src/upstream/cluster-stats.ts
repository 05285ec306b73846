/** Envoy's `cluster.<name>.*` statistics, resolved to cells once per cluster. */
import type { Counter, Gauge, Histogram, Registry } from "@argyle/telemetry";
import { createHttp2Stats, type Http2Stats } from "../stats/http2-stats.ts";

export interface ClusterStats {
  /** Made when the first HTTP/2 connection is. */
  readonly http2: Http2Stats;
  readonly cxHttp1Total: Counter;
  readonly cxHttp2Total: Counter;
  readonly cxProtocolError: Counter;
  /** GOAWAY came. */
  readonly cxCloseNotify: Counter;
  readonly cxTotal: Counter;
  readonly cxActive: Gauge;
  readonly cxConnectFail: Counter;
  readonly cxConnectTimeout: Counter;
  readonly cxOverflow: Counter;
  readonly cxDestroyLocal: Counter;
  readonly cxDestroyRemote: Counter;
  readonly cxRxBytes: Counter;
  readonly cxTxBytes: Counter;
  readonly cxMaxRequests: Counter;
  readonly cxNoneHealthy: Counter;
  readonly rqTotal: Counter;
  readonly rqActive: Gauge;
  readonly rqPendingTotal: Counter;
  readonly rqPendingActive: Gauge;
  readonly rqPendingOverflow: Counter;
  readonly rqPendingFailureEject: Counter;
  readonly rqTimeout: Counter;
  readonly rqPerTryTimeout: Counter;
  readonly rqRetry: Counter;
  readonly rqRetrySuccess: Counter;
  readonly rqRetryOverflow: Counter;
  readonly rqRetryLimitExceeded: Counter;
  readonly rqRxReset: Counter;
  readonly rqTxReset: Counter;
  readonly rqCompleted: Counter;
  readonly rqTime: Histogram;
  /** DNS. */
  readonly updateAttempt: Counter;
  readonly updateSuccess: Counter;
  readonly updateFailure: Counter;
  readonly membershipTotal: Gauge;
  readonly membershipHealthy: Gauge;
  readonly ejectionsActive: Gauge;
  readonly ejectionsEnforced: Counter;
  readonly ejections5xx: Counter;
  /** upstream_rq_<code> and upstream_rq_<class>xx. */
  readonly code: (status: number) => void;
  remove(): void;
}

export function createClusterStats(registry: Registry, cluster: string): ClusterStats {
  const removals: (() => void)[] = [];
  const counter = (name: string): Counter => {
    const family = registry.counter({
      name: `envoy_cluster_${name.replaceAll(".", "_")}`,
      labels: ["cluster_name"],
      statName: ([value]) => `cluster.${value}.${name}`,
    });
    removals.push(() => family.remove(cluster));
    return family.cell(cluster);
  };
  const gauge = (name: string): Gauge => {
    const family = registry.gauge({
      name: `envoy_cluster_${name.replaceAll(".", "_")}`,
      labels: ["cluster_name"],
      statName: ([value]) => `cluster.${value}.${name}`,
    });
    removals.push(() => family.remove(cluster));
    return family.cell(cluster);
  };
  const time = registry.histogram({
    name: "envoy_cluster_upstream_rq_time",
    labels: ["cluster_name"],
    statName: ([value]) => `cluster.${value}.upstream_rq_time`,
  });
  const codes = registry.counter({
    name: "envoy_cluster_upstream_rq",
    labels: ["response_code", "cluster_name"],
    statName: ([code, value]) => `cluster.${value}.upstream_rq_${code}`,
  });
  const classes = registry.counter({
    name: "envoy_cluster_upstream_rq_xx",
    labels: ["response_code_class", "cluster_name"],
    statName: ([code, value]) => `cluster.${value}.upstream_rq_${code}xx`,
  });
  const byCode = new Map<number, readonly [Counter, Counter]>();
  removals.push(() => {
    time.remove(cluster);
    for (const status of byCode.keys()) {
      codes.remove(String(status), cluster);
      classes.remove(String(Math.floor(status / 100)), cluster);
    }
  });
  let http2: Http2Stats | undefined;
  return {
    get http2() {
      http2 ??= createHttp2Stats(
        (name) => counter(`http2.${name}`),
        (name) => gauge(`http2.${name}`),
      );
      return http2;
    },
    cxHttp1Total: counter("upstream_cx_http1_total"),
    cxHttp2Total: counter("upstream_cx_http2_total"),
    cxProtocolError: counter("upstream_cx_protocol_error"),
    cxCloseNotify: counter("upstream_cx_close_notify"),
    cxTotal: counter("upstream_cx_total"),
    cxActive: gauge("upstream_cx_active"),
    cxConnectFail: counter("upstream_cx_connect_fail"),
    cxConnectTimeout: counter("upstream_cx_connect_timeout"),
    cxOverflow: counter("upstream_cx_overflow"),
    cxDestroyLocal: counter("upstream_cx_destroy_local"),
    cxDestroyRemote: counter("upstream_cx_destroy_remote"),
    cxRxBytes: counter("upstream_cx_rx_bytes_total"),
    cxTxBytes: counter("upstream_cx_tx_bytes_total"),
    cxMaxRequests: counter("upstream_cx_max_requests"),
    cxNoneHealthy: counter("upstream_cx_none_healthy"),
    rqTotal: counter("upstream_rq_total"),
    rqActive: gauge("upstream_rq_active"),
    rqPendingTotal: counter("upstream_rq_pending_total"),
    rqPendingActive: gauge("upstream_rq_pending_active"),
    rqPendingOverflow: counter("upstream_rq_pending_overflow"),
    rqPendingFailureEject: counter("upstream_rq_pending_failure_eject"),
    rqTimeout: counter("upstream_rq_timeout"),
    rqPerTryTimeout: counter("upstream_rq_per_try_timeout"),
    rqRetry: counter("upstream_rq_retry"),
    rqRetrySuccess: counter("upstream_rq_retry_success"),
    rqRetryOverflow: counter("upstream_rq_retry_overflow"),
    rqRetryLimitExceeded: counter("upstream_rq_retry_limit_exceeded"),
    rqRxReset: counter("upstream_rq_rx_reset"),
    rqTxReset: counter("upstream_rq_tx_reset"),
    rqCompleted: counter("upstream_rq_completed"),
    rqTime: time.cell(cluster),
    updateAttempt: counter("update_attempt"),
    updateSuccess: counter("update_success"),
    updateFailure: counter("update_failure"),
    membershipTotal: gauge("membership_total"),
    membershipHealthy: gauge("membership_healthy"),
    ejectionsActive: gauge("outlier_detection.ejections_active"),
    ejectionsEnforced: counter("outlier_detection.ejections_enforced_total"),
    ejections5xx: counter("outlier_detection.ejections_enforced_consecutive_5xx"),
    code(status) {
      let cells = byCode.get(status);
      if (cells === undefined) {
        cells = [codes.cell(String(status), cluster), classes.cell(String(Math.floor(status / 100)), cluster)];
        byCode.set(status, cells);
      }
      cells[0].add(1);
      cells[1].add(1);
    },
    remove: () => {
      for (const remove of removals) remove();
    },
  };
}
