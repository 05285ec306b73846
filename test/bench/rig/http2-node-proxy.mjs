// The ordinary way to write an HTTP/2 reverse proxy in Node: node:http2 on both sides, one upstream session. argv: own port, upstream port.
import { connect, createServer } from "node:http2";

const [port, upstream] = process.argv.slice(2).map(Number);
let session;
const upstreamSession = () => {
  if (session === undefined || session.closed || session.destroyed) session = connect(`http://127.0.0.1:${upstream}`);
  return session;
};
createServer()
  .on("stream", (from, headers) => {
    const call = upstreamSession().request(headers, { endStream: headers[":method"] === "GET" });
    call.on("response", (answer) => {
      if (from.destroyed) return;
      from.respond(answer);
      call.pipe(from);
    });
    call.on("error", () => from.destroy());
    from.on("error", () => call.destroy());
    if (headers[":method"] !== "GET") from.pipe(call);
  })
  .listen(port, "127.0.0.1");
