// A client that we did not write, @grpc/grpc-js-xds, gets its configuration from our ADS server and routes a call by it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "@argyle/testkit";
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE } from "@argyle/xds";
import * as grpc from "@grpc/grpc-js";
import { startIstiod, type TestIstiod } from "./istiod.ts";
import { createStaticSource } from "./static-source.ts";

const echo: grpc.MethodDefinition<string, string> = {
  path: "/test.Echo/Say",
  requestStream: false,
  responseStream: false,
  requestSerialize: Buffer.from,
  requestDeserialize: String,
  responseSerialize: Buffer.from,
  responseDeserialize: String,
};

function startEcho(name: string): Promise<{ server: grpc.Server; port: number }> {
  const server = new grpc.Server();
  server.addService({ Say: echo } as unknown as grpc.ServiceDefinition, {
    Say: (call: grpc.ServerUnaryCall<string, string>, done: grpc.sendUnaryData<string>) =>
      done(null, `${name}: ${call.request}`),
  });
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve({ server, port });
      else reject(error);
    });
  });
}

const endpoints = (port: number) => ({
  cluster_name: "echo-cluster",
  endpoints: [
    {
      locality: { region: "r", zone: "z" },
      load_balancing_weight: 1,
      lb_endpoints: [{ endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: port } } } }],
    },
  ],
});
const route = (prefix: string) => ({
  name: "echo-route",
  virtual_hosts: [
    { name: "echo", domains: ["*"], routes: [{ match: { prefix }, route: { cluster: "echo-cluster" } }] },
  ],
});

const source = createStaticSource();
let istiod: TestIstiod;
let one: Awaited<ReturnType<typeof startEcho>>;
let two: Awaited<ReturnType<typeof startEcho>>;
let client: grpc.Client;

function say(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const deadline = Date.now() + 5000;
    client.makeUnaryRequest(
      echo.path,
      echo.requestSerialize,
      echo.responseDeserialize,
      text,
      { deadline },
      (error: grpc.ServiceError | null, reply?: string) => {
        if (error !== null) reject(error);
        else resolve(reply ?? "");
      },
    );
  });
}

before(async () => {
  [one, two] = await Promise.all([startEcho("one"), startEcho("two")]);
  source.set(LISTENER_TYPE, "echo.test", {
    name: "echo.test",
    api_listener: {
      api_listener: {
        "@type":
          "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        rds: { config_source: { ads: {} }, route_config_name: "echo-route" },
        http_filters: [
          {
            name: "router",
            typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
          },
        ],
      },
    },
  });
  source.set(ROUTE_TYPE, "echo-route", route("/"));
  source.set(CLUSTER_TYPE, "echo-cluster", {
    name: "echo-cluster",
    type: "EDS",
    eds_cluster_config: { eds_config: { ads: {} } },
    lb_policy: "ROUND_ROBIN",
  });
  source.set(ENDPOINT_TYPE, "echo-cluster", endpoints(one.port));
  istiod = await startIstiod(source);
  process.env.GRPC_XDS_BOOTSTRAP_CONFIG = JSON.stringify({
    node: { id: "sidecar~10.244.0.9~client-1.default~default.svc.cluster.local", locality: {}, cluster: "test" },
    xds_servers: [
      {
        server_uri: `127.0.0.1:${istiod.plainPort}`,
        channel_creds: [{ type: "insecure" }],
        server_features: ["xds_v3"],
      },
    ],
  });
  const { register } = await import("@grpc/grpc-js-xds");
  register();
  client = new grpc.Client("xds:///echo.test", grpc.credentials.createInsecure());
});

after(async () => {
  client.close();
  one.server.forceShutdown();
  two.server.forceShutdown();
  await istiod.close();
});

test("routes a call and acknowledges LDS, RDS, CDS and EDS", async () => {
  assert.equal(await say("hello"), "one: hello");
  await eventually("every type is acknowledged", () => {
    const types = istiod.server.connections()[0]?.types() ?? [];
    assert.deepEqual(
      types.map(({ state, error }) => [state, error]),
      Array(4).fill(["SYNCED", undefined]),
    );
  });
  assert.equal(istiod.server.connections()[0]?.mode, "sotw");
});

test("follows an endpoint change", async () => {
  source.set(ENDPOINT_TYPE, "echo-cluster", endpoints(two.port));
  await eventually("calls go to the other server", async () => assert.equal(await say("x"), "two: x"));
});

test("shows what the client refuses, with its reason, and goes on when it is mended", async () => {
  source.set(CLUSTER_TYPE, "echo-cluster", { name: "echo-cluster", type: "STATIC" });
  const cds = () =>
    istiod.server
      .connections()[0]
      ?.types()
      .find(({ typeUrl }) => typeUrl === CLUSTER_TYPE);
  await eventually("the client refuses", () => assert.match(cds()?.error ?? "", /Unsupported type STATIC/));
  assert.equal(cds()?.state, "STALE");
  assert.match(istiod.metrics(), /pilot_total_xds_rejects 1/);
  assert.equal(await say("still"), "two: still");
  source.set(CLUSTER_TYPE, "echo-cluster", {
    name: "echo-cluster",
    type: "EDS",
    eds_cluster_config: { eds_config: { ads: {} } },
    connect_timeout: "1s",
  });
  await eventually("the client accepts", () => assert.equal(cds()?.state, "SYNCED"));
});
