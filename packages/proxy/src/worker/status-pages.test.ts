import assert from "node:assert/strict";
import { test } from "node:test";
import { createRegistry } from "@argyle/telemetry";
import type { AgentStatus } from "../agent/agent.ts";
import { answerMetrics, answerReadiness, answerStatus, type StatusPages } from "./status-pages.ts";

const STATUS: AgentStatus = {
  workload: undefined,
  isReady: true,
  isConnected: true,
  certificate: { serialNumber: "1", notAfter: 1_700_000_123_456 },
  types: new Map([
    ["cds", { held: 3, responses: 2, rejection: undefined }],
    ["lds", { held: 3, responses: 5, rejection: undefined }],
  ]),
  lastError: undefined,
};

function pages(options: { readonly app?: string; readonly isReady?: boolean } = {}) {
  const registry = createRegistry();
  registry.counter({ name: "envoy_own" }).cell().add(4);
  const quits: string[] = [];
  const value: StatusPages = {
    registry,
    isReady: () => options.isReady ?? true,
    agent: () => STATUS,
    appMetrics: async () => options.app,
    quit: () => void quits.push("quit"),
  };
  return { pages: value, quits };
}

test("15020 merges the metrics of the proxy, the agent and the application", async () => {
  const { body, status, type } = await answerStatus(pages({ app: "app_requests 9" }).pages, "GET", "/stats/prometheus");
  assert.deepEqual([status, type], [200, "text/plain; version=0.0.4"]);
  assert.match(body, /^envoy_own 4\n/m);
  assert.match(body, /^istio_agent_xds_proxy_responses 7\n/m);
  assert.match(body, /^istio_agent_cert_expiry_seconds\{resource_name="default"\} 1700000123\n/m);
  assert.match(body, /^app_requests 9\n$/m);
});

test("an application that does not answer costs only its own metrics", async () => {
  const { status, body } = await answerStatus(pages().pages, "GET", "/stats/prometheus");
  assert.equal(status, 200);
  assert.match(body, /^envoy_own 4\n/m);
});

const answers = [
  { name: "15020 ready", answer: (p: StatusPages) => answerStatus(p, "GET", "/healthz/ready"), ready: 200, not: 503 },
  { name: "15021 ready", answer: (p: StatusPages) => answerReadiness(p, "/healthz/ready"), ready: 200, not: 503 },
  { name: "15021 anything else", answer: (p: StatusPages) => answerReadiness(p, "/"), ready: 404, not: 404 },
  {
    name: "15090 metrics",
    answer: (p: StatusPages) => answerMetrics(p, "/stats/prometheus?x=1"),
    ready: 200,
    not: 200,
  },
  { name: "15020 unknown", answer: (p: StatusPages) => answerStatus(p, "GET", "/nope"), ready: 404, not: 404 },
];
for (const c of answers) {
  test(`${c.name}: ${c.ready}, ${c.not} before it is ready`, async () => {
    assert.equal((await c.answer(pages().pages)).status, c.ready);
    assert.equal((await c.answer(pages({ isReady: false }).pages)).status, c.not);
  });
}

test("15020 quits on POST alone", async () => {
  const { pages: p, quits } = pages();
  assert.equal((await answerStatus(p, "GET", "/quitquitquit")).status, 405);
  assert.deepEqual(quits, []);
  assert.equal((await answerStatus(p, "POST", "/quitquitquit")).status, 200);
  assert.deepEqual(quits, ["quit"]);
});
