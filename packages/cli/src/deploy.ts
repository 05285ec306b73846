/** What `up` applies: the control plane, then the demo. Both are plain manifests under demo/ that a user may apply by hand as well. */
import { createHash } from "node:crypto";
import { request } from "node:http";
import { join } from "node:path";
import { HOST } from "@argyle/cluster";
import { MeshError, sleep, systemClock } from "@argyle/core";
import type { KubeClient } from "@argyle/kube-client";
import { type Deployment, type KubeObject, RESOURCES, resourceOf, type Service } from "@argyle/kube-types";
import { applyObjects, createMissing, readManifests } from "./apply.ts";

const READY_DEADLINE_MS = 60_000;

export interface ControlPlane {
  /** How many objects an earlier run had left, 0 for a new instance. */
  readonly resumed: number;
  /** Hash of the manifests in force. */
  readonly hash: string;
}

/**
 * Applies demo/0-istio and waits until istiod serves its webhooks. When these manifests were applied before (`applied` is their hash), only what is
 * missing is made: what the user changed since is theirs.
 */
export async function deployControlPlane(
  client: KubeClient,
  demoDir: string,
  gatewayPort: number,
  applied: string | undefined,
  signal: AbortSignal,
): Promise<ControlPlane> {
  const earlier = await client.find(resourceOf("Namespace"), { name: "istio-system" });
  const resumed = earlier === undefined ? 0 : await countObjects(client);
  const manifests = readManifests(join(demoDir, "0-istio"));
  const hash = createHash("sha256").update(JSON.stringify(manifests)).digest("hex");
  const objects = manifests.map((object) => withGatewayPort(object, gatewayPort));
  if (hash !== applied) await applyObjects(client, objects);
  else {
    await createMissing(client, objects);
    await moveGatewayPort(client, objects, gatewayPort);
  }
  await waitForDeployment(client, "istio-system", "istiod", signal);
  return { resumed, hash };
}

/** The pods that the first page needs: they are made before the others, so that somebody can look at the shop while the rest starts. */
const STOREFRONT = new Set(["catalogue-db", "catalogue", "front-end"]);

export async function deployStorefront(client: KubeClient, demoDir: string): Promise<void> {
  const isFirst = ({ kind, metadata }: KubeObject) => kind !== "Deployment" || STOREFRONT.has(metadata.name);
  for (const path of ["manifests", "sockshop-virtual-services.yaml", "sockshop-gateway.yaml"]) {
    await createMissing(client, readManifests(join(demoDir, "1-deploy-app", path)).filter(isFirst));
  }
}

/** The rest of the shop; resolves when every Deployment of the demo is available. */
export async function deployDemo(client: KubeClient, demoDir: string, signal: AbortSignal): Promise<number> {
  const objects = readManifests(join(demoDir, "1-deploy-app/manifests"));
  await createMissing(client, objects);
  const deployments = objects.filter(({ kind }) => kind === "Deployment");
  for (const { metadata } of deployments) {
    await waitForDeployment(client, metadata.namespace ?? "default", metadata.name, signal);
  }
  return deployments.length;
}

/** Resolves with the first 200 of `GET /catalogue` through the ingress gateway. */
export async function waitForShop(gatewayPort: number, signal: AbortSignal): Promise<void> {
  const end = systemClock.monotonic() + READY_DEADLINE_MS;
  let last = "";
  while (systemClock.monotonic() < end) {
    last = await probe(`http://${HOST}:${gatewayPort}/catalogue`);
    if (last === "200") return;
    await sleep(systemClock, 20, signal);
  }
  throw new MeshError(`the shop did not answer within ${READY_DEADLINE_MS / 1000} s; the last answer was ${last}`, {
    code: "deploy.shop",
    advice: "look at: ./argyle kubectl get pods -A, and ./argyle kubectl get events -n sock-shop",
  });
}

/** The host port may be another one than at the earlier start. */
async function moveGatewayPort(client: KubeClient, objects: readonly KubeObject[], gatewayPort: number): Promise<void> {
  const { namespace, name } = GATEWAY_SERVICE;
  const service = await client.find<Service>(resourceOf("Service", ""), { namespace, name });
  if (service?.spec.ports?.some(({ port }) => port === gatewayPort) === true) return;
  await applyObjects(client, objects.filter(isGatewayService));
}

const GATEWAY_SERVICE = { namespace: "istio-system", name: "istio-ingressgateway" } as const;

function isGatewayService({ kind, metadata }: KubeObject): boolean {
  return kind === "Service" && metadata.name === GATEWAY_SERVICE.name;
}

/** The manifest's http2 port becomes the port that is free on this host, so that the talk's jsonpath lines print what works. */
function withGatewayPort(object: KubeObject, gatewayPort: number): KubeObject {
  if (!isGatewayService(object)) return object;
  const spec = object.spec as { readonly ports: readonly { readonly name: string; readonly port: number }[] };
  return {
    ...object,
    spec: { ...spec, ports: spec.ports.map((port) => (port.name === "http2" ? { ...port, port: gatewayPort } : port)) },
  } as KubeObject;
}

async function countObjects(client: KubeClient): Promise<number> {
  const lists = await Promise.all(RESOURCES.filter((r) => r.kind !== "Event").map((resource) => client.list(resource)));
  return lists.reduce((sum, list) => sum + list.items.length, 0);
}

async function waitForDeployment(
  client: KubeClient,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(READY_DEADLINE_MS)]);
  const resource = resourceOf("Deployment");
  try {
    const options = { namespace, fieldSelector: `metadata.name=${name}`, sendInitialEvents: true };
    for (;;) {
      for await (const event of client.watch<Deployment>(resource, options, deadline)) {
        if (event.type === "BOOKMARK" || event.type === "DELETED") continue;
        if ((event.object.status?.availableReplicas ?? 0) >= (event.object.spec.replicas ?? 1)) return;
      }
      deadline.throwIfAborted();
    }
  } catch (error) {
    if (!deadline.aborted || signal.aborted) throw error;
    throw new MeshError(`deployment ${namespace}/${name} was not available within ${READY_DEADLINE_MS / 1000} s`, {
      code: "deploy.not-available",
      advice: `look at: ./argyle kubectl -n ${namespace} describe pods, and ./argyle kubectl -n ${namespace} logs deploy/${name}`,
      cause: error,
    });
  }
}

function probe(url: string): Promise<string> {
  return new Promise((resolve) => {
    const outgoing = request(url, { timeout: 2000, agent: false }, (incoming) => {
      incoming.resume();
      incoming.on("close", () => resolve(String(incoming.statusCode)));
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error("timeout")));
    outgoing.on("error", (error) => resolve(error.message));
    outgoing.end();
  });
}
