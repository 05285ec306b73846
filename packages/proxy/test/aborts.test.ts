/**
 * A client or an upstream that goes away, by FIN or by RST, at every stage of an exchange: afterwards no gauge counts it, no timer runs for
 * it, no socket is open, and the next request is served.
 */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { type Clock, systemClock } from "@argyle/core";
import { eventually } from "@argyle/testkit";
import { exchange, type Harness, httpListener, startProxy, startUpstream, staticCluster } from "./harness.ts";

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const UPGRADE = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
const SWITCHED = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
const PROBE = "GET /probe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const NEVER = "30s";
const LARGE = `HTTP/1.1 200 OK\r\ncontent-length: 50000000\r\n\r\n${"x".repeat(4_000_000)}`;

const fault = {
  name: "envoy.filters.http.fault",
  typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault" },
};
const delay = {
  "envoy.filters.http.fault": {
    "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
    delay: { fixed_delay: NEVER, percentage: { numerator: 100 } },
  },
};
const routes = [
  { match: { prefix: "/slow" }, route: { cluster: "a" }, typed_per_filter_config: delay },
  {
    match: { prefix: "/again" },
    route: {
      cluster: "a",
      retry_policy: { retry_on: "5xx", num_retries: 5, retry_back_off: { base_interval: NEVER, max_interval: NEVER } },
    },
  },
  { match: { prefix: "/" }, route: { cluster: "a" } },
];

/** What the upstream does with the exchange under test; the probe is always answered. */
type Answering = (socket: Socket, received: string) => void;
const silent: Answering = () => undefined;
const says =
  (text: string): Answering =>
  (socket, received) => {
    if (received.endsWith("\r\n\r\n")) socket.write(text);
  };

interface ClientStage {
  readonly name: string;
  readonly send: string;
  readonly upstream?: Answering;
  /** The client leaves when it has received this. */
  readonly until?: string;
  /** … or when so much is true of the proxy. */
  readonly when?: string;
  /** The client does not read. */
  readonly stalls?: boolean;
  /** What the upstream sees of it; default: nothing. */
  readonly arrives?: string;
}

const stages: readonly ClientStage[] = [
  { name: "before its first byte", send: "" },
  { name: "within the head", send: "GET / HTTP/1.1\r\nHo" },
  {
    name: "within a body by length",
    send: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
    arrives: "abc",
  },
  {
    name: "within a chunk",
    send: "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    arrives: "ab",
  },
  { name: "while the upstream thinks", send: GET, arrives: "GET / " },
  { name: "with a pipelined request waiting", send: GET + GET, arrives: "GET / " },
  {
    name: "within the response",
    send: GET,
    upstream: says("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart"),
    until: "part",
  },
  { name: "without having read the response", send: GET, upstream: says(LARGE), stalls: true, arrives: "GET / " },
  {
    name: "in the back-off before a retry",
    send: "GET /again HTTP/1.1\r\nHost: x\r\n\r\n",
    upstream: says("HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n"),
    when: 'envoy_cluster_upstream_rq_retry{cluster_name="a"} 1',
  },
  {
    name: "in a fault's delay",
    send: "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n",
    when: 'envoy_http_downstream_rq_active{envoy_http_conn_manager_prefix="ingress"} 1',
  },
  { name: "while an upgrade is asked for", send: UPGRADE, arrives: "GET /ws" },
  { name: "in a tunnel", send: UPGRADE, upstream: says(SWITCHED), until: "101" },
  {
    name: "waiting for 100-continue's body",
    send: "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    until: "100",
  },
];

for (const stage of stages) {
  for (const how of ["FIN", "RST"] as const) {
    test(`a client that leaves by ${how} ${stage.name} leaves nothing behind`, async (t) => {
      const { h, port, seen, isTimerless, openSockets } = await start(t, stage.upstream ?? silent);
      const client = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
      client.on("error", () => undefined);
      let received = "";
      if (stage.stalls === true) client.pause();
      else
        client.on("data", (chunk) => {
          received += chunk.toString("latin1");
        });
      client.write(stage.send);
      await eventually("the stage is reached", () => {
        assert.equal(gauge(h, 'envoy_http_downstream_cx_active{envoy_http_conn_manager_prefix="ingress"}'), 1);
        if (stage.until !== undefined) assert.ok(received.includes(stage.until), received);
        if (stage.arrives !== undefined) assert.ok(seen().includes(stage.arrives), seen());
        if (stage.when !== undefined) assert.ok(exposition(h).includes(stage.when), exposition(h));
      });
      if (how === "RST") client.resetAndDestroy();
      else {
        client.end();
        client.resume();
      }
      await eventually("nothing is left", () => {
        assertIdle(h);
        assert.ok(isTimerless(), "a timer is armed");
        assert.equal(openSockets(), 0, "a connection to the upstream is open");
      });
      client.destroy();
      assert.match(await exchange(port, PROBE), /^HTTP\/1\.1 200 /);
    });
  }
}

interface UpstreamStage {
  readonly name: string;
  readonly send: string;
  /** What it says before it leaves. */
  readonly says: string;
  /** What the client gets, whole. */
  readonly gets: RegExp;
}

const FAILED = /^HTTP\/1\.1 50[23] [\s\S]*reset reason/;
const upstreamStages: readonly UpstreamStage[] = [
  { name: "without a word", send: GET, says: "", gets: FAILED },
  {
    name: "within a request",
    send: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
    says: "",
    gets: FAILED,
  },
  { name: "within its head", send: GET, says: "HTTP/1.1 200 OK\r\ncont", gets: FAILED },
  { name: "after an interim response", send: GET, says: "HTTP/1.1 103 Early Hints\r\n\r\n", gets: FAILED },
  {
    name: "within its body",
    send: GET,
    says: "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart",
    gets: /part(<ECONNRESET>)?$/,
  },
  {
    name: "within a chunk",
    send: GET,
    says: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\npart",
    gets: /4\r\npart\r\n(<ECONNRESET>)?$/,
  },
  { name: "while an upgrade is asked for", send: UPGRADE, says: "", gets: FAILED },
  { name: "in a tunnel", send: UPGRADE, says: SWITCHED, gets: /^HTTP\/1\.1 101 / },
];

for (const stage of upstreamStages) {
  for (const how of ["FIN", "RST"] as const) {
    test(`an upstream that leaves by ${how} ${stage.name} leaves nothing behind`, async (t) => {
      const { h, port, isTimerless, openSockets } = await start(t, (socket) => {
        if (stage.says !== "") socket.write(stage.says);
        // The words must not be taken back by the reset.
        if (how === "FIN") socket.end();
        else setImmediate(() => setImmediate(() => socket.resetAndDestroy()));
      });
      const close =
        stage.send === UPGRADE ? stage.send : stage.send.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
      const text = await exchange(port, close);
      if (how === "FIN" || stage.says === "") assert.match(text, stage.gets);
      await eventually("nothing is left", () => {
        assertIdle(h);
        assert.ok(isTimerless(), "a timer is armed");
        assert.equal(openSockets(), 0, "a connection to the upstream is open");
      });
      assert.match(await exchange(port, PROBE), /^HTTP\/1\.1 200 /);
    });
  }
}

async function start(t: TestContext, answering: Answering) {
  const clock = countingClock();
  const open = new Set<Socket>();
  const upstream = await startUpstream(t, (received, socket) => {
    if (!open.has(socket)) {
      open.add(socket);
      socket.on("close", () => open.delete(socket));
    }
    if (received.startsWith("GET /probe")) socket.end(OK);
    else answering(socket, received);
  });
  const h = await startProxy(
    t,
    {
      clusters: [staticCluster("a", [upstream.port])],
      listeners: [httpListener(routes, { upgrade_configs: [{ upgrade_type: "websocket" }] }, [fault])],
    },
    {},
    { clock, random: () => 0.999 },
  );
  return {
    h,
    port: h.port(),
    seen: () => upstream.received.join(""),
    isTimerless: () => h.proxy.deps.wheel.armed === 0 && clock.armed() <= 1,
    openSockets: () => open.size,
  };
}

/** The system's clock, which knows how many timers wait. One may be the wheel's, which sleeps on when nothing is armed in it any more. */
function countingClock(): Clock & { armed(): number } {
  let armed = 0;
  return {
    ...systemClock,
    armed: () => armed,
    after(delayMs, callback, options) {
      armed += 1;
      let isOver = false;
      const end = () => {
        if (!isOver) armed -= 1;
        isOver = true;
      };
      const timer = systemClock.after(
        delayMs,
        () => {
          end();
          callback();
        },
        options,
      );
      return {
        cancel() {
          end();
          timer.cancel();
        },
      };
    },
  };
}

const GAUGES = [
  'envoy_http_downstream_cx_active{envoy_http_conn_manager_prefix="ingress"}',
  'envoy_http_downstream_rq_active{envoy_http_conn_manager_prefix="ingress"}',
  'envoy_cluster_upstream_cx_active{cluster_name="a"}',
  'envoy_cluster_upstream_rq_active{cluster_name="a"}',
  'envoy_cluster_upstream_rq_pending_active{cluster_name="a"}',
];

function assertIdle(h: Harness): void {
  for (const name of GAUGES) assert.equal(gauge(h, name), 0, name);
  const cluster = h.proxy.runtime.snapshot().clusters.get("a");
  assert.equal(cluster?.activeRequests, 0);
  assert.equal(cluster?.activeRetries, 0);
  assert.equal(cluster?.pending, 0);
  assert.equal(cluster?.connections, 0);
}

function gauge(h: Harness, name: string): number {
  const line = exposition(h)
    .split("\n")
    .find((text) => text.startsWith(`${name} `));
  return line === undefined ? Number.NaN : Number(line.slice(name.length + 1));
}

function exposition(h: Harness): string {
  return h.proxy.deps.registry.expose();
}
