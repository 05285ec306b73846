/** Spans leave for their collector in Zipkin's and OTLP's JSON, and a collector that is away costs the request nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "@argyle/testkit";
import {
  exchange,
  httpListener,
  replying,
  startProxy,
  startUpstream,
  staticCluster,
  type TestScope,
} from "./harness.ts";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
const ACCEPTED = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";
const TRACE = "463ac35c9f6413ad48485a3953bb6124";
const PARENT = "a2fb4a1d1a96d312";
const b3 = (sampled: string) => `x-b3-traceid: ${TRACE}\r\nx-b3-spanid: ${PARENT}\r\nx-b3-sampled: ${sampled}\r\n`;
const get = (path: string, headers = "") => `GET ${path} HTTP/1.1\r\nHost: shop:80\r\n${headers}\r\n`;
const typed = (type: string, value: object) => ({
  name: "tracer",
  typed_config: { "@type": `type.googleapis.com/envoy.config.trace.v3.${type}`, ...value },
});
const ZIPKIN = typed("ZipkinConfig", {
  collector_cluster: "collector",
  collector_hostname: "zipkin.istio-system.svc.cluster.local",
  collector_endpoint: "/api/v2/spans",
  collector_endpoint_version: "HTTP_JSON",
});
const OTLP = typed("OpenTelemetryConfig", {
  service_name: "front",
  http_service: { http_uri: { uri: "http://otel:4318/v1/traces", cluster: "collector", timeout: "1s" } },
});

async function start(
  t: TestScope,
  tracing: object,
  options: { readonly direction?: string; readonly collectorPort?: number; readonly answer?: string } = {},
) {
  const app = await startUpstream(t, replying(options.answer ?? OK));
  const collector = await startUpstream(t, (received, socket, connection) => {
    const head = received.indexOf("\r\n\r\n");
    const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? 0);
    if (head === -1 || received.length < head + 4 + length) return;
    connection.bytes = received.slice(head + 4 + length);
    socket.write(ACCEPTED);
  });
  const listener = {
    ...httpListener(
      [{ match: { prefix: "/" }, route: { cluster: "app" }, decorator: { operation: "shop.default.svc:80/*" } }],
      { tracing: { random_sampling: { value: 100 }, ...tracing } },
    ),
    traffic_direction: options.direction ?? "INBOUND",
  };
  const h = await startProxy(t, {
    clusters: [staticCluster("app", [app.port]), staticCluster("collector", [options.collectorPort ?? collector.port])],
    listeners: [listener],
  });
  const stat = (name: string) => new RegExp(`^${name} (\\d+)`, "m").exec(h.proxy.deps.registry.expose())?.[1];
  return { h, app, collector, stat };
}

interface ZipkinSpan {
  readonly id: string;
  readonly traceId: string;
  readonly parentId?: string;
  readonly name: string;
  readonly kind: string;
  readonly timestamp: number;
  readonly duration: number;
  readonly localEndpoint: { readonly serviceName: string };
  readonly tags: Readonly<Record<string, string>>;
}

test("a sampled request is one Zipkin span with Envoy's tags and the configured ones", async (t) => {
  const { h, app, collector, stat } = await start(t, {
    provider: ZIPKIN,
    custom_tags: [
      { tag: "istio.canonical_service", literal: { value: "shop" } },
      { tag: "who", request_header: { name: "x-who", default_value: "nobody" } },
    ],
  });
  await exchange(h.port(), get("/cart?q=1", `${b3("1")}user-agent: curl\r\n`), (r) => r.endsWith("hello"));
  await eventually("report", () => assert.ok((collector.received[0] ?? "").endsWith("]"), collector.received[0]));
  const [head = "", body = ""] = (collector.received[0] ?? "").split("\r\n\r\n");
  assert.match(head, /^POST \/api\/v2\/spans HTTP\/1\.1\r\n/);
  assert.match(head, /host: zipkin\.istio-system\.svc\.cluster\.local\r\n/i);
  assert.match(head, /content-type: application\/json/i);
  const [span, ...more] = JSON.parse(body) as readonly ZipkinSpan[];
  assert.ok(span !== undefined && more.length === 0);
  assert.equal(span.traceId, TRACE);
  assert.equal(span.parentId, PARENT);
  assert.match(app.received[0] ?? "", new RegExp(`x-b3-spanid: ${span.id}`));
  assert.deepEqual([span.kind, span.name, span.localEndpoint.serviceName], ["SERVER", "shop.default.svc:80/*", "test"]);
  assert.ok(Math.abs(span.timestamp / 1000 - Date.now()) < 10_000 && span.duration >= 1);
  assert.deepEqual(span.tags, {
    component: "proxy",
    node_id: "test",
    "http.url": "http://shop:80/cart?q=1",
    "http.method": "GET",
    "http.protocol": "HTTP/1.1",
    "http.status_code": "200",
    response_flags: "-",
    request_size: "0",
    response_size: "5",
    "peer.address": "127.0.0.1",
    downstream_cluster: "-",
    user_agent: "curl",
    "guid:x-request-id": "uuid-1",
    upstream_cluster: "app",
    "upstream_cluster.name": "app",
    "istio.canonical_service": "shop",
    who: "nobody",
  });
  await eventually("counted", () =>
    assert.deepEqual([stat("envoy_tracing_zipkin_spans_sent"), stat("envoy_tracing_zipkin_reports_sent")], ["1", "1"]),
  );
});

test("an outbound request is a client span, a failed one an error", async (t) => {
  const { h, collector } = await start(
    t,
    { provider: ZIPKIN },
    { direction: "OUTBOUND", answer: "HTTP/1.1 503 No\r\ncontent-length: 1\r\n\r\nx" },
  );
  await exchange(h.port(), get("/"), (r) => r.endsWith("x"));
  await eventually("report", () => assert.ok((collector.received[0] ?? "").endsWith("]")));
  const [span] = JSON.parse((collector.received[0] ?? "").split("\r\n\r\n")[1] ?? "") as readonly ZipkinSpan[];
  assert.deepEqual([span?.kind, span?.tags["http.status_code"], span?.tags.error], ["CLIENT", "503", "true"]);
});

test("OTLP over HTTP carries the same span", async (t) => {
  const { h, collector } = await start(t, { provider: OTLP });
  await exchange(h.port(), get("/", b3("1")), (r) => r.endsWith("hello"));
  await eventually("report", () => assert.ok((collector.received[0] ?? "").endsWith("}")));
  const [head = "", body = ""] = (collector.received[0] ?? "").split("\r\n\r\n");
  assert.match(head, /^POST \/v1\/traces HTTP\/1\.1\r\nhost: otel:4318\r\n/i);
  const [resource] = (JSON.parse(body) as { resourceSpans: readonly Record<string, unknown>[] }).resourceSpans;
  assert.deepEqual(resource?.resource, {
    attributes: [{ key: "service.name", value: { stringValue: "front" } }],
  });
  const text = JSON.stringify(resource?.scopeSpans);
  assert.match(text, new RegExp(`"traceId":"${TRACE}"`));
  assert.match(text, new RegExp(`"parentSpanId":"${PARENT}"`));
  assert.match(text, /"kind":2,"startTimeUnixNano":"\d{19}","endTimeUnixNano":"\d{19}"/);
});

test("what the caller does not sample is not recorded", async (t) => {
  const { h, collector, stat } = await start(t, { provider: ZIPKIN });
  await exchange(h.port(), get("/no", b3("0")), (r) => r.endsWith("hello"));
  await exchange(h.port(), get("/yes", b3("1")), (r) => r.endsWith("hello"));
  await eventually("one report", () => assert.equal(stat("envoy_tracing_zipkin_spans_sent"), "1"));
  assert.doesNotMatch(collector.received[0] ?? "", /\/no/);
});

test("requests go on while the collector is away; the lost spans are counted", async (t) => {
  const { h, stat } = await start(t, { provider: ZIPKIN }, { collectorPort: 1 });
  const text = await exchange(h.port(), get("/"), (r) => r.endsWith("hello"));
  assert.match(text, /^HTTP\/1\.1 200/);
  await eventually("counted", () =>
    assert.deepEqual(
      [stat("envoy_tracing_zipkin_reports_failed"), stat("envoy_tracing_zipkin_spans_dropped")],
      ["1", "1"],
    ),
  );
});
