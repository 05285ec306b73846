import assert from "node:assert/strict";
import { test } from "node:test";
import { compileJsonFormat, compileTextFormat, ISTIO_DEFAULT_FORMAT } from "./access-log.ts";
import type { StreamRecord } from "./stream-record.ts";

const record: StreamRecord = {
  requestHeaders: new Map([
    ["user-agent", "curl/8"],
    ["x-request-id", "id-1"],
    ["x-evil", 'a\r\n"b'],
  ]),
  responseHeaders: new Map([["x-envoy-upstream-service-time", "3"]]),
  responseTrailers: undefined,
  method: "GET",
  path: "/catalogue?size=3",
  originalPath: undefined,
  authority: "catalogue",
  scheme: "http",
  protocol: "HTTP/1.1",
  startTimeMs: Date.UTC(2026, 10, 22, 10, 0, 1, 25),
  durationMs: 4.7,
  requestDurationMs: 0.2,
  responseDurationMs: 4,
  responseTxDurationMs: 0.1,
  responseCode: 200,
  responseFlags: "-",
  responseCodeDetails: "via_upstream",
  connectionTerminationDetails: undefined,
  upstreamTransportFailureReason: undefined,
  bytesReceived: 0,
  bytesSent: 12,
  upstreamHost: "10.244.0.5:80",
  upstreamCluster: "outbound|80||catalogue.sock-shop.svc.cluster.local",
  upstreamLocalAddress: "10.244.0.4:40000",
  upstreamRequestAttemptCount: 1,
  downstreamLocalAddress: "10.96.0.7:80",
  downstreamRemoteAddress: "10.244.0.4:51000",
  downstreamDirectRemoteAddress: "10.244.0.4:51000",
  requestedServerName: undefined,
  routeName: "default",
  connectionId: 7,
  downstreamPeerUriSan: undefined,
  downstreamLocalUriSan: undefined,
  downstreamPeerSubject: undefined,
  downstreamTlsVersion: undefined,
  downstreamTlsCipher: undefined,
  dynamicMetadata: () => undefined,
  filterState: () => undefined,
};

const cases = [
  {
    name: "Istio's default line",
    format: ISTIO_DEFAULT_FORMAT,
    want:
      '[2026-11-22T10:00:01.025Z] "GET /catalogue?size=3 HTTP/1.1" 200 - via_upstream - "-" 0 12 4 3 "-" "curl/8" "id-1" ' +
      '"catalogue" "10.244.0.5:80" outbound|80||catalogue.sock-shop.svc.cluster.local 10.244.0.4:40000 10.96.0.7:80 ' +
      "10.244.0.4:51000 - default\n",
  },
  { name: "alternative header and length", format: "%REQ(X-NONE?USER-AGENT):3%|%REQ(X-NONE)%", want: "cur|-" },
  {
    name: "start time format",
    format: "%START_TIME(%Y/%m/%dT%H:%M:%S.%3f %s)%",
    want: "2026/11/22T10:00:01.025 1795341601",
  },
  { name: "a percent sign", format: "100%% %RESPONSE_CODE%", want: "100% 200" },
  { name: "header text can't break the line", format: "%REQ(X-EVIL)%", want: 'a\\x0d\\x0a\\"b' },
  { name: "addresses without port", format: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", want: "10.244.0.4" },
];
for (const c of cases) {
  test(c.name, () => {
    const compiled = compileTextFormat(c.format);
    assert.ok(compiled.ok);
    assert.equal(compiled.value(record), c.want);
  });
}

test("rejects an unknown operator", () => {
  assert.equal(compileTextFormat("%NO_SUCH_THING%").ok, false);
});

test("JSON keeps numbers, prints null for missing values and sorts keys", () => {
  const compiled = compileJsonFormat({
    code: "%RESPONSE_CODE%",
    agent: "ua=%REQ(USER-AGENT)%",
    sni: "%REQUESTED_SERVER_NAME%",
  });
  assert.ok(compiled.ok);
  assert.equal(compiled.value(record), '{"agent":"ua=curl/8","code":200,"sni":null}\n');
});

test("a server name from the wire can't break or forge a line", () => {
  const forged = { ...record, requestedServerName: 'a"\r\n200 - "b' };
  const text = compileTextFormat('"%REQUESTED_SERVER_NAME%"\n');
  assert.ok(text.ok);
  assert.equal(text.value(forged), '"a\\"\\x0d\\x0a200 - \\"b"\n');
  const json = compileJsonFormat({ sni: "%REQUESTED_SERVER_NAME%" });
  assert.ok(json.ok);
  assert.deepEqual(JSON.parse(json.value(forged)), { sni: forged.requestedServerName });
});
