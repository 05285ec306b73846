// Opens connections and keeps them idle. argv: port, how many, JSON {ca, cert, key} or "plain", host header for one request each or "none".
// Prints "ready" when all are open (and answered); ends with its stdin.
import { connect } from "node:net";
import { connect as connectTls, createSecureContext } from "node:tls";

const [port, count, tls, host] = process.argv.slice(2);
const where = { port: Number(port), host: "127.0.0.1" };
const secureContext = tls === "plain" ? undefined : createSecureContext(JSON.parse(tls));
const AT_ONCE = 50;
let opened = 0;
let ready = 0;

function open() {
  if (opened === Number(count)) return;
  opened += 1;
  const socket =
    secureContext === undefined
      ? connect(where)
      : // Not the subject here: the proxy checks the client, the client takes whatever certificate it gets.
        connectTls({ ...where, secureContext, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] });
  socket.on("error", (error) => {
    console.error(error.message);
    process.exit(1);
  });
  const done = () => {
    ready += 1;
    if (ready === Number(count)) console.log("ready");
    open();
  };
  socket.once(secureContext === undefined ? "connect" : "secureConnect", () => {
    if (host === "none") done();
    else socket.write(`GET /api/v1/items/small HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  });
  if (host !== "none") socket.once("data", done);
}

for (let i = 0; i < AT_ONCE; i++) open();
process.stdin.on("end", () => process.exit(0)).resume();
