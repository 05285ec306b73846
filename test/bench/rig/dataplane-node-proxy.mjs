// The ordinary way to write a reverse proxy in Node: node:http on both sides with keep-alive. argv: own port, upstream port.
import { Agent, createServer, request } from "node:http";

const [port, upstream] = process.argv.slice(2).map(Number);
const agent = new Agent({ keepAlive: true, maxSockets: 512 });
createServer((from, to) => {
  const options = {
    agent,
    host: "127.0.0.1",
    port: upstream,
    method: from.method,
    path: from.url,
    headers: from.headers,
  };
  const call = request(options, (answer) => {
    to.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(to);
  });
  call.on("error", () => to.destroy());
  from.pipe(call);
}).listen(port, "127.0.0.1");
