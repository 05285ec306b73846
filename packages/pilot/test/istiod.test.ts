/** istiod whole, from a directory, through its sockets: xDS, webhooks, pages. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { request as httpsRequest } from "node:https";
import { join } from "node:path";
import { test } from "node:test";
import { silentLogger, systemClock } from "@argyle/core";
import { validateIstio } from "@argyle/kube-types";
import { eventually, tempDir } from "@argyle/testkit";
import {
  CLUSTER_TYPE,
  createXdsRegistry,
  createXdsWire,
  type DeltaDiscoveryResponse,
  openDeltaStream,
  ROUTE_TYPE,
} from "@argyle/xds";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { type Istiod, startIstiod } from "../src/istiod.ts";

declare const __ARGYLE_ROOT__: string;

const registry = createXdsRegistry(readFileSync(join(__ARGYLE_ROOT__, "dist/assets/xds.binpb")));
const any = { host: "127.0.0.1", port: 0 };
const NODE = {
  id: "sidecar~10.244.0.6~front-end-77bd-xyz.sock-shop~sock-shop.svc.cluster.local",
  metadata: { NAMESPACE: "sock-shop", LABELS: { name: "front-end" } },
};

async function withIstiod(t: {
  after(fn: () => void | Promise<void>): void;
}): Promise<{ istiod: Istiod; dir: string }> {
  const dir = tempDir(t as never);
  const mesh = readFileSync(join(__ARGYLE_ROOT__, "packages/pilot/test/golden/mesh.yaml"), "utf8");
  writeFileSync(join(dir, "mesh.yaml"), mesh);
  const istiod = await startIstiod(
    {
      namespace: "istio-system",
      revision: "default",
      xds: any,
      secureXds: any,
      monitoring: any,
      webhooks: any,
      health: any,
    },
    {
      inputs: { kind: "directory", dir },
      registry,
      validate: validateIstio,
      clock: systemClock,
      log: silentLogger,
    },
  );
  t.after(() => istiod.close());
  return { istiod, dir };
}

test("a proxy gets its configuration over Delta xDS, and a new file reaches it", async (t) => {
  const { istiod, dir } = await withIstiod(t);
  const wire = createXdsWire(registry);
  const client = new Client(`127.0.0.1:${istiod.ports.xds}`, credentials.createInsecure());
  const stream = openDeltaStream(client, wire, new Metadata());
  stream.on("error", () => undefined);
  t.after(() => {
    stream.cancel();
    client.close();
  });
  const responses: DeltaDiscoveryResponse[] = [];
  stream.on("data", (response: DeltaDiscoveryResponse) => {
    responses.push(response);
    stream.write(empty({ typeUrl: response.typeUrl, responseNonce: response.nonce }));
  });
  const empty = (more: object) => ({
    typeUrl: "",
    subscribe: [],
    unsubscribe: [],
    initialResourceVersions: new Map<string, string>(),
    responseNonce: "",
    ...more,
  });
  stream.write(empty({ typeUrl: CLUSTER_TYPE, node: NODE }));
  stream.write(empty({ typeUrl: ROUTE_TYPE, subscribe: ["80"] }));
  const of = (typeUrl: string) => responses.filter((response) => response.typeUrl === typeUrl);
  await eventually("clusters and routes", () =>
    assert.ok(of(CLUSTER_TYPE).length === 1 && of(ROUTE_TYPE).length === 1),
  );
  const names = of(CLUSTER_TYPE)[0]?.resources.map((resource) => resource.name) ?? [];
  assert.ok(names.includes("outbound|80||catalogue.sock-shop.svc.cluster.local"), names.join(" "));
  assert.ok(names.includes("inbound|8079||"), names.join(" "));

  writeFileSync(
    join(dir, "vs.yaml"),
    [
      "apiVersion: networking.istio.io/v1",
      "kind: VirtualService",
      "metadata: { name: catalogue, namespace: sock-shop }",
      "spec:",
      "  hosts: [catalogue]",
      "  http: [{ timeout: 7s, route: [{ destination: { host: catalogue } }] }]",
    ].join("\n"),
  );
  await eventually("a pushed route", () => assert.equal(of(ROUTE_TYPE).length, 2));
  assert.equal(of(CLUSTER_TYPE).length, 1, "clusters are not pushed again");
  const pushed = of(ROUTE_TYPE)[1]?.resources[0]?.resource.value ?? new Uint8Array();
  const decoded = registry.decode(ROUTE_TYPE, pushed);
  assert.ok(decoded.ok && JSON.stringify(decoded.value).includes('"timeout":"7s"'));
});

test("pages answer on the monitoring port", async (t) => {
  const { istiod } = await withIstiod(t);
  const page = (path: string) => fetchText(istiod.ports.monitoring, path);
  assert.equal((await page("/ready")).status, 200);
  assert.match((await page("/metrics")).body, /^pilot_services 5$/m);
  const services = JSON.parse((await page("/debug/registryz")).body) as readonly { readonly hostname: string }[];
  assert.ok(services.some((service) => service.hostname === "front-end.sock-shop.svc.cluster.local"));
  assert.deepEqual(JSON.parse((await page("/debug/syncz")).body), []);
  assert.equal((await page("/debug/nothing")).status, 404);
  assert.equal((await fetchText(istiod.ports.health, "/ready")).status, 200);
});

test("webhooks answer over TLS with a certificate of the mesh's CA", async (t) => {
  const { istiod } = await withIstiod(t);
  const review = (object: object) => ({ request: { uid: "u", namespace: "shop", operation: "CREATE", object } });
  const inject = await post(
    istiod,
    "/inject",
    review({ kind: "Pod", metadata: { name: "a" }, spec: { containers: [] } }),
  );
  assert.equal(inject.response.allowed, true);
  assert.equal(inject.response.patchType, "JSONPatch");
  const validate = await post(
    istiod,
    "/validate",
    review({
      apiVersion: "networking.istio.io/v1",
      kind: "VirtualService",
      metadata: { name: "a", namespace: "shop" },
      spec: { hosts: [], http: [{ timeout: "-1s", route: [{ destination: { host: "a" } }] }] },
    }),
  );
  assert.equal(validate.response.allowed, false);
  assert.match(validate.response.status?.message ?? "", /timeout/);
});

function fetchText(port: number, path: string): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, path, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    }).on("error", reject);
  });
}

interface Review {
  readonly response: {
    readonly allowed: boolean;
    readonly patchType?: string;
    readonly status?: { readonly message: string };
  };
}

function post(istiod: Istiod, path: string, body: unknown): Promise<Review> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        host: "127.0.0.1",
        port: istiod.ports.webhooks,
        path,
        method: "POST",
        ca: istiod.rootCertPem,
        servername: "istiod.istio-system.svc",
        agent: false,
      },
      (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => {
          text += chunk.toString();
        });
        response.on("end", () => resolve(JSON.parse(text) as Review));
      },
    );
    request.on("error", reject);
    request.end(JSON.stringify(body));
  });
}
