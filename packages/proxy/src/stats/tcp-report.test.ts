import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeClock } from "@argyle/testkit";
import { createTimerWheel } from "../io/timer-wheel.ts";
import type { TcpSession } from "../tcp-proxy.ts";
import { TcpReport, type TcpTelemetry } from "./tcp-report.ts";

function setUp(isConnected = true) {
  const clock = createFakeClock();
  const wheel = createTimerWheel(clock);
  const events: string[] = [];
  const telemetry: TcpTelemetry = {
    intervalMs: 5000,
    onOpened: () => void events.push("opened"),
    onBytes: (_session, sent, received) => void events.push(`${sent}/${received}`),
    onClosed: () => void events.push("closed"),
  };
  const session = { isConnected, state: { bytesSent: 0, bytesReceived: 0 } };
  // The report reads these two members only.
  const report = new TcpReport(session as unknown as TcpSession, telemetry, wheel);
  return { clock, wheel, events, session, report };
}

test("reports bytes while the connection lives, and only what is new", async () => {
  const { clock, wheel, events, session, report } = setUp();
  report.onPeerKnown();
  session.state.bytesSent = 10;
  await clock.advance(5100);
  session.state.bytesSent = 15;
  session.state.bytesReceived = 3;
  await clock.advance(5100);
  session.state.bytesSent = 16;
  report.close();
  await clock.advance(10_000);
  assert.deepEqual(events, ["opened", "10/0", "5/3", "1/0", "closed"]);
  wheel.close();
});

test("a peer that never says who it is delays the report by one interval", async () => {
  const { clock, wheel, events, report } = setUp();
  await clock.advance(4000);
  assert.deepEqual(events, []);
  await clock.advance(1100);
  assert.deepEqual(events, ["opened", "0/0"]);
  report.close();
  wheel.close();
});

test("a connection that failed is opened and closed at once", () => {
  const { wheel, events, report } = setUp(false);
  report.close();
  assert.deepEqual(events, ["opened", "0/0", "closed"]);
  wheel.close();
});
