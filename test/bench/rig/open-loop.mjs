// An open-loop load generator without coordinated omission: requests come when they are due, whether or not earlier ones were answered, and a
// request that waits for a free connection counts from the moment it was due. Arrivals are gathered in ticks of a millisecond, the accuracy of
// Node's timers. argv: host header, port, path, requests a second, connections, seconds. Prints one line of JSON.
import { connect } from "node:net";

const [host, port, path, rate, connections, seconds] = process.argv.slice(2);
const perMs = Number(rate) / 1000;
const warmUpMs = 1000;
const endMs = warmUpMs + Number(seconds) * 1000;
const request = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: bench/1.0\r\nAccept: application/json\r\n\r\n`;
const idle = [];
const due = [];
const latencies = [];
let failures = 0;
let isOver = false;

function open() {
  const socket = connect({ port: Number(port), host: "127.0.0.1", noDelay: true });
  const connection = { socket, dueAt: -1, missing: -1 };
  const free = () => {
    connection.dueAt = -1;
    const next = due.shift();
    if (next === undefined) idle.push(connection);
    else send(connection, next);
  };
  socket.once("connect", free);
  socket.on("data", (chunk) => {
    let received = chunk.length;
    if (connection.missing < 0) {
      const head = chunk.latin1Slice(0, Math.min(chunk.length, 2048));
      const headEnd = head.indexOf("\r\n\r\n");
      const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
      if (!head.startsWith("HTTP/1.1 200") || headEnd < 0 || length === undefined) failures += 1;
      connection.missing = Number(length ?? 0);
      received -= headEnd + 4;
    }
    connection.missing -= received;
    if (connection.missing > 0) return;
    connection.missing = -1;
    latencies.push(performance.now() - connection.dueAt, connection.dueAt);
    free();
  });
  socket.on("error", () => undefined);
  socket.on("close", () => {
    if (isOver) return;
    if (connection.dueAt >= 0) failures += 1;
    open();
  });
}

function send(connection, dueAt) {
  connection.dueAt = dueAt;
  connection.socket.write(request, "latin1");
}

for (let i = 0; i < Number(connections); i++) open();
setTimeout(() => {
  const started = performance.now();
  let sent = 0;
  const tick = () => {
    const now = performance.now();
    const wanted = Math.floor((now - started) * perMs);
    for (; sent < wanted; sent++) {
      const connection = idle.pop();
      if (connection === undefined) due.push(now);
      else send(connection, now);
    }
    if (now - started < endMs) setTimeout(tick, 1);
    else setTimeout(report, 200, started, sent);
  };
  tick();
}, 500);

function report(started, sent) {
  isOver = true;
  const counted = [];
  for (let i = 0; i < latencies.length; i += 2) if (latencies[i + 1] - started >= warmUpMs) counted.push(latencies[i]);
  counted.sort((a, b) => a - b);
  const quantile = (q) => counted[Math.min(counted.length - 1, Math.ceil(q * counted.length) - 1)] ?? 0;
  const answered = latencies.length / 2;
  console.log(
    JSON.stringify({
      sent,
      answered,
      failures: failures + sent - answered,
      p50Ms: quantile(0.5),
      p99Ms: quantile(0.99),
      p999Ms: quantile(0.999),
    }),
  );
  process.exit(0);
}
