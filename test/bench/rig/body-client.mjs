// Reads one response. argv: port, path, host, bytes a second at most (0: as fast as it comes), seconds at most. Prints {bytes, ms}.
import { connect } from "node:net";

const [port, path, host, limit, seconds] = process.argv.slice(2);
const perSecond = Number(limit);
const started = performance.now();
let bytes = 0;
const report = () => {
  console.log(JSON.stringify({ bytes, ms: performance.now() - started }));
  process.exit(0);
};
const onread = {
  buffer: Buffer.allocUnsafe(perSecond === 0 ? 256 * 1024 : 16 * 1024),
  callback(length) {
    bytes += length;
    if (perSecond === 0) return true;
    // Ahead of the pace: not read until it is time for these bytes.
    const wait = (bytes / perSecond) * 1000 - (performance.now() - started);
    if (wait < 1) return true;
    setTimeout(() => socket.resume(), wait);
    return false;
  },
};
const socket = connect({ port: Number(port), host: "127.0.0.1", onread }, () => {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
});
socket.on("end", report);
setTimeout(report, Number(seconds) * 1000);
