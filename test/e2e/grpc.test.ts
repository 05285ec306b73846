/** A gRPC service on the mesh, by kubectl alone: declared by its port's name, called from another pod and through the gateway. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually } from "@argyle/testkit";
import { Client, credentials, type ServiceError, status } from "@grpc/grpc-js";
import { type MiniCluster, startMiniCluster, withoutKubectl } from "../mini-cluster.ts";

/** Answers every call with its own message; `/shop.Quotes/Fail` with NOT_FOUND. Programs of a pod have no packages, so it is written on node:http2. */
const SERVER = `
const http2 = require("node:http2");
http2.createServer().on("stream", (stream, headers) => {
  stream.on("error", () => {});
  if (headers[":path"].endsWith("/Fail")) {
    stream.respond({ ":status": 200, "content-type": "application/grpc", "grpc-status": "5", "grpc-message": "no such quote" }, { endStream: true });
    return;
  }
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.pipe(stream);
}).listen(9000);`;

const CALL = `
const http2 = require("node:http2");
const session = http2.connect("http://quotes:9000");
const call = session.request({ ":method": "POST", ":path": "/shop.Quotes/Echo", "content-type": "application/grpc", te: "trailers" });
let text = "";
call.on("data", (piece) => (text += piece.subarray(5).toString()));
call.on("trailers", (trailers) => console.log(text, trailers["grpc-status"]));
call.on("end", () => session.close());
call.end(Buffer.concat([Buffer.from([0, 0, 0, 0, 5]), Buffer.from("hello")]));`;

const deployment = (name: string, script: string) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, namespace: "quotes" },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [{ name: "main", image: "host", command: [process.execPath, "-e", script] }],
      },
    },
  },
});

const OBJECTS = [
  { apiVersion: "v1", kind: "Namespace", metadata: { name: "quotes", labels: { "istio-injection": "enabled" } } },
  deployment("quotes", SERVER),
  deployment("client", "setInterval(() => {}, 1000)"),
  {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "quotes", namespace: "quotes" },
    spec: { selector: { app: "quotes" }, ports: [{ name: "grpc-quotes", port: 9000 }] },
  },
  {
    apiVersion: "security.istio.io/v1",
    kind: "PeerAuthentication",
    metadata: { name: "default", namespace: "quotes" },
    spec: { mtls: { mode: "STRICT" } },
  },
  {
    apiVersion: "networking.istio.io/v1",
    kind: "Gateway",
    metadata: { name: "grpc", namespace: "quotes" },
    spec: {
      selector: { istio: "ingressgateway" },
      servers: [{ port: { number: 80, name: "grpc", protocol: "GRPC" }, hosts: ["quotes.example"] }],
    },
  },
  {
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: { name: "quotes", namespace: "quotes" },
    spec: {
      hosts: ["quotes.example"],
      gateways: ["grpc"],
      http: [{ route: [{ destination: { host: "quotes", port: { number: 9000 } } }] }],
    },
  },
];

describe("a gRPC service on the mesh", { skip: withoutKubectl }, () => {
  let cluster: MiniCluster;
  const cleanups: (() => Promise<void> | void)[] = [];
  before(async () => {
    cluster = await startMiniCluster({ after: (fn) => void cleanups.push(fn) }, { demo: "mesh" });
    const input = JSON.stringify({ apiVersion: "v1", kind: "List", items: OBJECTS });
    const { code, stderr } = await cluster.tryKubectl(["apply", "-f", "-"], { input });
    assert.equal(code, 0, stderr);
    for (const name of ["quotes", "client"])
      await cluster.kubectl("-n", "quotes", "rollout", "status", `deploy/${name}`, "--timeout=60s");
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  test("a program in another pod calls it, HTTP/2 from end to end over mTLS", async () => {
    await eventually("an answer", async () => {
      const args = ["-n", "quotes", "exec", "deploy/client", "-c", "main", "--", process.execPath, "-e", CALL];
      assert.equal((await cluster.kubectl(...args)).trim(), "hello 0");
    });
    for (const [name, place] of [
      ["client", "outbound|9000||quotes.quotes.svc.cluster.local"],
      ["quotes", "inbound|9000||"],
    ] as const)
      await eventually(`the log of ${name}`, async () => {
        const log = await cluster.kubectl("-n", "quotes", "logs", `deploy/${name}`, "-c", "istio-proxy", "--tail=50");
        const line = log.split("\n").find((text) => text.includes(place)) ?? "";
        assert.match(line, /"POST \/shop\.Quotes\/Echo HTTP\/2" 200 - via_upstream/);
      });
  });

  test("a gRPC client that we did not write calls it through the gateway", async (t) => {
    const client = new Client(new URL(cluster.gateway).host, credentials.createInsecure(), {
      "grpc.default_authority": "quotes.example",
    });
    t.after(() => client.close());
    const same = (bytes: Buffer) => bytes;
    const call = (name: string) =>
      new Promise<string>((resolve) => {
        const path = `/shop.Quotes/${name}`;
        client.makeUnaryRequest(path, same, same, Buffer.from("hello"), (error: ServiceError | null, answer?: Buffer) =>
          resolve(error === null ? String(answer) : `${status[error.code]} ${error.details}`),
        );
      });
    await eventually("an answer", async () => assert.equal(await call("Echo"), "hello"));
    assert.equal(await call("Fail"), "NOT_FOUND no such quote");
  });
});
