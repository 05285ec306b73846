// The server kinds of the suite: argv[2] names one; it says "ready" when it listens and prints what it wants to tell as JSON lines.
const http = require("node:http");
const net = require("node:net");
const fs = require("node:fs");
const cluster = require("node:cluster");

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const answer = (request, response) =>
  response.end(
    JSON.stringify([request.url, request.socket.remoteAddress, request.socket.localAddress, request.socket.localPort]),
  );

const servers = {
  "http on a port": () => {
    const server = http.createServer(answer).listen(80, () => say(server.address()));
  },
  "http on the pod's address": () => {
    const server = http.createServer(answer).listen({ port: "8080", host: "10.244.0.9" }, () => say(server.address()));
  },
  "a port that is taken": () => {
    http.createServer(answer).listen(80, () => {
      http
        .createServer()
        .once("error", (error) => say({ code: error.code, message: error.message, port: error.port }))
        .listen(80);
    });
  },
  "a port of its own choice": () => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { address, port } = server.address();
      say([address, port > 0, typeof port]);
      net.connect(port, "127.0.0.1").once("connect", () => say("host loopback works"));
    });
  },
  "a program that asks itself": () => {
    http.createServer(answer).listen(3000, async () => {
      for (const host of ["localhost", "127.0.0.1", "10.244.0.9", "web-1"])
        say([host, await (await fetch(`http://${host}:3000/self`)).text()]);
    });
  },
  "a socket file that was left behind": () => {
    const server = http.createServer(answer).listen(80, () => say(server.address()));
  },
  "cluster workers": () => {
    if (cluster.isPrimary) {
      cluster.fork();
      cluster.fork();
      let listening = 0;
      cluster.on("listening", () => {
        listening += 1;
        if (listening === 2) say("both listen");
      });
    } else http.createServer((_request, response) => response.end(String(process.pid))).listen(80);
  },
  "abrupt reset of a client": () => {
    net.createServer((socket) => socket.once("data", () => socket.resetAndDestroy())).listen(80, () => say("up"));
  },
  files: () => {
    say(fs.readFileSync("/etc/config/a.txt", "utf8"));
    say(fs.existsSync("/etc/config"));
    say(fs.readdirSync("/etc/config").sort());
    fs.writeFileSync("/data/out.txt", "written");
    fs.promises.readFile("/etc/config/nested/b.txt", "utf8").then(say);
    say(fs.existsSync("/etc/hostname-that-is-not-there"));
  },
};
servers[process.argv[2]]();
