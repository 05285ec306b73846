// The npm package http-proxy with a keep-alive agent, as its readme advises for load. argv: own port, upstream port.
import { Agent } from "node:http";
import httpProxy from "http-proxy";

const [port, upstream] = process.argv.slice(2).map(Number);
const agent = new Agent({ keepAlive: true, maxSockets: 512 });
const proxy = httpProxy.createProxyServer({ target: `http://127.0.0.1:${upstream}`, agent });
proxy.on("error", (_error, _from, to) => to.destroy());
proxy.listen(port, "127.0.0.1");
