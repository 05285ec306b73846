/** A pod's directory with a preload, cluster DNS and a fake sidecar that relays by destination port to backends of the test process. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from "node:http";
import { createSecureServer as createH2, createServer as createH2c } from "node:http2";
import { createServer as createHttps } from "node:https";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { createServer as createTls } from "node:tls";
import { Server as GrpcServer, ServerCredentials } from "@grpc/grpc-js";
import { build } from "esbuild";
import "reflect-metadata";
import { X509CertificateGenerator } from "@peculiar/x509";
import {
  authorityOf,
  listenOnPath,
  nodeOptionsFor,
  type PreloadOptions,
  type ProxyHeader,
  receiveProxyHeader,
  relay,
  renderPreload,
  resetSocket,
} from "../src/index.ts";

declare const __ARGYLE_ROOT__: string;
export const ROOT = __ARGYLE_ROOT__;
export const POD_IP = "10.244.0.9";

export interface FakePod {
  readonly runDir: string;
  readonly podDir: string;
  /** What the fake sidecar was asked for, in order: `ip:port authority`. */
  readonly seen: string[];
  readonly headers: ProxyHeader[];
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

const DNS: Readonly<Record<string, string>> = {
  "catalogue.shop": "10.96.0.10\n",
  "secure.shop": "10.96.0.11\n",
  "echo.shop": "10.96.0.12\n",
  "h2.shop": "10.96.0.13\n",
  "grpc.shop": "10.96.0.14\n",
  "db.shop": "10.244.0.20\n10.244.0.21\n",
};

export async function startFakePod(runDir: string, change: Partial<PreloadOptions> = {}): Promise<FakePod> {
  const podDir = join(runDir, POD_IP);
  mkdirSync(podDir, { recursive: true });
  mkdirSync(join(runDir, "dns"), { recursive: true });
  for (const [name, text] of Object.entries(DNS)) writeFileSync(join(runDir, "dns", name), text);
  const preloadPath = await buildPreload(runDir);
  const options: PreloadOptions = {
    preloadPath,
    runDir,
    podDir,
    podIP: POD_IP,
    podName: "web-1",
    namespace: "shop",
    ...change,
  };
  writeFileSync(join(podDir, "preload.cjs"), renderPreload(options));

  const backends = await startBackends();
  const seen: string[] = [];
  const headers: ProxyHeader[] = [];
  const open = new Set<Socket>();
  const sidecar = await listenOnPath(join(podDir, "out.sock"), (socket) => {
    open.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => open.delete(socket));
    void serve(socket);
  });
  const serve = async (socket: Socket) => {
    const header = await receiveProxyHeader(socket, { timeoutMs: 5000 });
    if (header.command !== "PROXY") throw new Error("a program's connection with a LOCAL header");
    const { ip, port } = header.destination;
    headers.push(header);
    seen.push(`${ip}:${port} ${authorityOf(header) ?? "-"}`);
    if (port === 7002) {
      resetSocket(socket, { runDir, header });
      return;
    }
    const { connect } = await import("node:net");
    const upstream = connect({ port: backends.ports[port] ?? 0, host: "127.0.0.1", allowHalfOpen: true });
    open.add(upstream);
    await relay(socket, upstream, { reset: (broken) => resetSocket(broken, { runDir, header }) });
  };
  return {
    runDir,
    podDir,
    seen,
    headers,
    env: {
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      NODE_OPTIONS: nodeOptionsFor(join(podDir, "preload.cjs"), undefined),
    },
    async close() {
      for (const socket of open) socket.destroy();
      await closeServer(sidecar);
      await backends.close();
    },
  };
}

/** Runs a program inside the pod and gives its standard output. */
export function runInPod(pod: FakePod, argv: readonly string[], wrapper: readonly string[] = []): Promise<string> {
  const [command = process.execPath, ...args] = [...wrapper, process.execPath, ...argv];
  return new Promise((resolve, reject) => {
    execFile(command, args, { env: { ...pod.env }, timeout: 50_000 }, (error, stdout, stderr) => {
      if (error !== null && stdout === "") reject(new Error(`${error.message}\n${stderr}`));
      else resolve(stdout);
    });
  });
}

export function startInPod(pod: FakePod, argv: readonly string[]): ChildProcess {
  return spawn(process.execPath, argv, { env: { ...pod.env }, stdio: ["ignore", "pipe", "inherit"] });
}

async function buildPreload(outdir: string): Promise<string> {
  const outfile = join(outdir, "shared-preload.cjs");
  await build({
    entryPoints: [join(ROOT, "packages/pod-network/src/preload/preload.ts")],
    outfile,
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    logLevel: "error",
  });
  return outfile;
}

interface Backends {
  /** Port that programs ask for -> port on the host. */
  readonly ports: Readonly<Record<number, number>>;
  close(): Promise<void>;
}

async function startBackends(): Promise<Backends> {
  const { key, cert } = await selfSigned();
  const answer = (request: IncomingMessage, response: ServerResponse) =>
    response.end(`${request.headers.host}${request.url}`);
  const echo = (socket: Socket) => {
    socket.on("error", () => undefined);
    socket.pipe(socket);
  };
  const h2 = (stream: { respond(h: object): void; end(t: string): void }) => {
    stream.respond({ ":status": 200 });
    stream.end("h2 reply");
  };
  const banner = (socket: Socket) => {
    socket.on("error", () => undefined);
    socket.end("220 ready");
  };
  const servers: [number, Server][] = [
    [80, createHttp(answer)],
    [443, createHttps({ key, cert }, answer)],
    [8080, createH2c().on("stream", h2)],
    [8443, createH2({ key, cert }).on("stream", h2)],
    [7443, createTls({ key, cert, allowHalfOpen: true }, echo)],
    [7000, createServer({ allowHalfOpen: true }, echo)],
    [7001, createServer(banner)],
  ];
  const ports: Record<number, number> = {};
  const sockets = new Set<Socket>();
  for (const [port, server] of servers) {
    server.on("connection", (socket: Socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    ports[port] = (server.address() as AddressInfo).port;
  }
  const grpc = new GrpcServer();
  const plain = {
    requestSerialize: (v: Buffer) => v,
    requestDeserialize: (v: Buffer) => v,
    responseSerialize: (v: Buffer) => v,
    responseDeserialize: (v: Buffer) => v,
  };
  grpc.addService(
    { say: { ...plain, path: "/test.Echo/Say", requestStream: false, responseStream: false } },
    {
      say: (call: { request: Buffer }, done: (e: null, r: Buffer) => void) =>
        done(null, Buffer.from(`said ${call.request}`)),
    },
  );
  ports[50051] = await new Promise<number>((resolve, reject) => {
    grpc.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
  return {
    ports,
    async close() {
      for (const socket of sockets) socket.destroy();
      grpc.forceShutdown();
      for (const [, server] of servers) await closeServer(server);
    },
  };
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

async function selfSigned(): Promise<{ readonly key: string; readonly cert: string }> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const cert = await X509CertificateGenerator.createSelfSigned({
    name: "CN=secure.shop",
    keys,
    signingAlgorithm: algorithm,
  });
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  return { key: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`, cert: cert.toString("pem") };
}
