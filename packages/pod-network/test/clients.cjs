// The client kinds of the capture suite: each is run inside a pod (with the preload) and its result is printed as one JSON line.
// argv[2]: the repository root, to find packages from; argv[3..]: names of the clients to run, all of them if none.
const { createRequire } = require("node:module");
const http = require("node:http");
const https = require("node:https");
const http2 = require("node:http2");
const net = require("node:net");
const tls = require("node:tls");
const dns = require("node:dns");
const { once } = require("node:events");
const childProcess = require("node:child_process");
const { promisify } = require("node:util");
const { Worker } = require("node:worker_threads");

const root = process.argv[2];
const fromRoot = createRequire(`${root}/package.json`);
const { env } = process;
const insecure = { rejectUnauthorized: false };

async function text(stream) {
  let all = "";
  for await (const chunk of stream) all += chunk;
  return all;
}
function get(module, ...args) {
  return new Promise((resolve, reject) => {
    module.get(...args, (response) => resolve(text(response))).once("error", reject);
  });
}
/** Sends a line, reads the echo up to the end. */
async function echo(socket, line = "ping") {
  socket.end(line);
  const reply = await text(socket);
  return reply;
}
async function h2(authority, options) {
  const session = http2.connect(authority, options);
  const stream = session.request({ ":path": "/h2" });
  const reply = await text(stream);
  session.close();
  return reply;
}
function grpc(target) {
  const library = fromRoot("@grpc/grpc-js");
  const plain = {
    requestSerialize: (v) => v,
    responseDeserialize: (v) => v,
    requestStream: false,
    responseStream: false,
  };
  const Client = library.makeGenericClientConstructor(
    { say: { ...plain, path: "/test.Echo/Say", originalName: "say" } },
    "Echo",
  );
  const client = new Client(target, library.credentials.createInsecure());
  return new Promise((resolve, reject) => {
    client.say(Buffer.from("hello"), (error, reply) => {
      client.close();
      if (error) reject(error);
      else resolve(reply.toString());
    });
  });
}
const inChild = `require("node:http").get("http://catalogue/child", (r) => { r.on("data", (d) => process.stdout.write(d)); })`;
function inWorker(options) {
  const code = `const { parentPort } = require("node:worker_threads");
    require("node:http").get("http://catalogue/worker", (r) => { let s = ""; r.on("data", (d) => (s += d)).on("end", () => parentPort.postMessage(s)); });`;
  const worker = new Worker(code, { eval: true, ...options });
  return once(worker, "message").then(([message]) => worker.terminate().then(() => message));
}
async function failure(promise) {
  try {
    return `no error: ${await promise}`;
  } catch (error) {
    return { code: error.code ?? error.cause?.code, message: error.cause?.message ?? error.message };
  }
}

const clients = {
  "http short name": () => get(http, "http://catalogue/a"),
  "http name.namespace": () => get(http, "http://catalogue.shop/b"),
  "http fqdn with a dot": () => get(http, "http://catalogue.shop.svc.cluster.local./c"),
  "http cluster IP": () => get(http, "http://10.96.0.10/d"),
  "http external name": () => get(http, "http://example.org/e"),
  "http external address": () => get(http, "http://203.0.113.7/f"),
  "http external IPv6 address": () => get(http, "http://[2001:db8::7]/f6"),
  "http options": () => get(http, { host: "catalogue", port: 80, path: "/g", family: 4, localAddress: "127.0.0.1" }),
  "http own lookup": () =>
    get(http, {
      host: "catalogue",
      path: "/h",
      agent: false,
      lookup: (_h, _o, done) => done(new Error("must not be asked")),
    }),
  "http keep-alive agent": async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const replies = [];
    for (const path of ["/1", "/2", "/3"]) replies.push(await get(http, { host: "catalogue", path, agent }));
    const keys = Object.keys(agent.freeSockets);
    agent.destroy();
    return [...replies, ...keys];
  },
  https: () => get(https, "https://secure.shop/i", insecure),
  "https by address": () => get(https, "https://10.96.0.11/j", insecure),
  fetch: async () => (await fetch("http://catalogue/k")).text(),
  "fetch https": async () => {
    env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
    process.removeAllListeners("warning");
    process.on("warning", () => undefined);
    const reply = await (await fetch("https://secure.shop/l")).text();
    delete env.NODE_TLS_REJECT_UNAUTHORIZED;
    return reply;
  },
  h2c: () => h2("http://h2.shop:8080"),
  "h2 over tls": () => h2("https://h2.shop:8443", insecure),
  "tls.connect(options)": async () => {
    const socket = tls.connect({ host: "secure.shop", port: 7443, ...insecure });
    const reply = await echo(socket);
    return [reply, socket.remoteAddress, socket.remotePort, socket.localAddress];
  },
  "tls.connect(port, host, options)": () => echo(tls.connect(7443, "secure.shop", insecure)),
  "tls.connect(port, options)": () => echo(tls.connect(7443, { host: "secure.shop", ...insecure })),
  "tls over an own socket": async () => {
    const socket = net.connect(7443, "secure.shop");
    await once(socket, "connect");
    return await echo(tls.connect({ socket, servername: "own.shop", ...insecure }));
  },
  "net.connect(port, host)": () => echo(net.connect(7000, "echo")),
  "net.connect(options)": () => echo(net.connect({ port: 7000, host: "echo.shop.svc" })),
  "new Socket().connect()": () => echo(new net.Socket({ allowHalfOpen: true }).connect(7000, "echo")),
  "server speaks first": async () => {
    const socket = net.connect(7001, "echo");
    const reply = await text(socket);
    return [reply, socket.bytesWritten];
  },
  "half-close": async () => {
    const socket = net.connect({ port: 7000, host: "echo", allowHalfOpen: true });
    socket.write("a");
    return await echo(socket, "b");
  },
  addresses: async () => {
    const socket = net.connect(7000, "echo");
    await once(socket, "connect");
    const seen = [socket.remoteAddress, socket.remotePort, socket.remoteFamily, socket.localAddress];
    socket.write("xy");
    seen.push(socket.bytesWritten);
    socket.destroy();
    return seen;
  },
  reset: () => failure(text(net.connect(7002, "echo"))),
  "reset under tls": () => failure(text(tls.connect({ host: "echo", port: 7002, ...insecure }))),
  "unknown cluster name": () => failure(get(http, "http://nobody.shop.svc.cluster.local/")),
  "unknown cluster name over https": () => failure(get(https, "https://nobody.shop.svc/")),
  "own port that nobody has": () => failure(get(http, "http://10.244.0.9:4444/")),
  "dns.lookup": () => promisify(dns.lookup)("catalogue"),
  "dns.lookup all": () => dns.promises.lookup("catalogue.shop", { all: true }),
  "dns.lookup callback": () =>
    new Promise((resolve) => dns.lookup("catalogue", 4, (_e, address, family) => resolve([address, family]))),
  "dns.lookup unknown": () => failure(dns.promises.lookup("nobody.shop.svc.cluster.local")),
  "dns.lookup family 6": () => failure(dns.promises.lookup("catalogue", { family: 6 })),
  "dns.resolve4 headless": () => dns.promises.resolve4("db"),
  "dns Resolver": () => promisify((name, done) => new dns.Resolver().resolve(name, done))("db.shop"),
  "dns resolve6": () => failure(dns.promises.resolve6("catalogue")),
  "own pod name": () => dns.promises.lookup("web-1"),
  "grpc name": () => grpc("grpc:50051"),
  "grpc dns target": () => grpc("dns:///grpc.shop.svc.cluster.local:50051"),
  exec: async () => (await promisify(childProcess.exec)(`${process.execPath} -e '${inChild}'`)).stdout,
  "execFile with an empty environment": async () =>
    (await promisify(childProcess.execFile)(process.execPath, ["-e", inChild], { env: {} })).stdout,
  "spawnSync with an empty environment": () =>
    childProcess.spawnSync(process.execPath, ["-e", inChild], { env: {}, encoding: "utf8" }).stdout,
  "execFileSync with NODE_OPTIONS of its own": () =>
    childProcess.execFileSync(process.execPath, ["-e", inChild], {
      env: { NODE_OPTIONS: "--no-warnings" },
      encoding: "utf8",
    }),
  "execSync inherits": () => childProcess.execSync(`${process.execPath} -e '${inChild}'`, { encoding: "utf8" }),
  worker: () => inWorker({}),
  "worker with an empty environment": () => inWorker({ env: {}, execArgv: [] }),
};

async function main() {
  const wanted = process.argv.slice(3);
  for (const [name, run] of Object.entries(clients)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    let result;
    try {
      result = await Promise.race([
        Promise.resolve(run()),
        new Promise((_, reject) => setTimeout(() => reject(new Error("no answer in 8 s")), 8000).unref()),
      ]);
    } catch (error) {
      result = `FAILED ${error.code ?? ""} ${error.stack}`;
    }
    process.stdout.write(`${JSON.stringify([name, result])}\n`);
  }
  process.exit(0);
}
void main();
