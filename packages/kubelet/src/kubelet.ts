/**
 * Composition of one kubelet, top to bottom. Closing it leaves every container running: the next kubelet adopts them from $STATE/kubelet and the
 * supervisor's table.
 */

import { join } from "node:path";
import { createEventRecorder, createInformer } from "@argyle/kube-client";
import { type ConfigMap, type Pod, resourceOf, type Secret, type Service } from "@argyle/kube-types";
import type { KubeletContext, ObjectLookup } from "./context.ts";
import { detectMountNamespace } from "./mount-namespace.ts";
import { readHostFacts, startNodeAgent } from "./node-agent.ts";
import type { Kubelet, KubeletOptions } from "./options.ts";
import { createPodIpAllocator } from "./pod-ip.ts";
import { createPodStateStore } from "./pod-state-file.ts";
import { createPodWorkers, type PodWorkers } from "./pod-workers.ts";
import { createProcessRunner } from "./process-runner.ts";
import { createProxyRunner } from "./proxy-runner.ts";
import { startResourceSampler } from "./resource-sampler.ts";
import { startKubeletServer } from "./server.ts";
import { createStatusWriter } from "./status-writer.ts";
import { createStreamHandlers } from "./streaming/pod-streams.ts";
import { createUpgradeListener } from "./streaming/upgrade.ts";

/** Resolves when the node is registered and the pods of the API server are being worked on. */
export async function startKubelet(options: KubeletOptions): Promise<Kubelet> {
  const { client, clock, stateDir, runDir, nodeName } = options;
  const log = options.log.scope("kubelet");
  const informer = { client, clock, log };
  const pods = createInformer<Pod>({
    ...informer,
    resource: resourceOf("Pod", ""),
    fieldSelector: `spec.nodeName=${nodeName}`,
  });
  const configMaps = createInformer<ConfigMap>({ ...informer, resource: resourceOf("ConfigMap", "") });
  const secrets = createInformer<Secret>({ ...informer, resource: resourceOf("Secret", "") });
  const services = createInformer<Service>({ ...informer, resource: resourceOf("Service", "") });
  const lookup: ObjectLookup = {
    configMap: (namespace, name) => configMaps.get(`${namespace}/${name}`),
    secret: (namespace, name) => secrets.get(`${namespace}/${name}`),
    services: (namespace) =>
      services.list().filter(({ metadata }) => {
        const isApiServer = metadata.namespace === "default" && metadata.name === "kubernetes";
        return metadata.namespace === namespace || isApiServer;
      }),
    loadBalancerPorts: () => loadBalancerPorts(services.list()),
  };
  const recorder = createEventRecorder({ client, clock, log, component: "kubelet", host: nodeName });
  const statuses = createStatusWriter(client, clock, log);
  const facts = readHostFacts(nodeName, options.hostIP ?? "127.0.0.1");
  // What the proxy workers already host is told while we start; adoption reads those states itself.
  let onProxyState: PodWorkers["onProxyState"] = () => undefined;
  const proxies = createProxyRunner(runDir, clock, (podIP, state) => onProxyState(podIP, state));
  const context: KubeletContext = {
    options,
    log,
    node: facts,
    nodePath: process.execPath,
    recorder,
    lookup,
    processes: createProcessRunner(options.supervisor),
    proxies,
    ips: createPodIpAllocator(join(stateDir, "kubelet", "pod-ip")),
    states: createPodStateStore(stateDir, clock, log),
    statuses,
    mountNamespace: await detectMountNamespace({
      scratchDir: join(stateDir, "kubelet"),
      keep: [runDir, stateDir, options.imageIndex.distDir],
    }),
  };
  const workers = createPodWorkers(context);
  onProxyState = (podIP, state) => workers.onProxyState(podIP, state);
  const informers = [pods, configMaps, secrets, services];
  await Promise.all(informers.map(({ synced }) => synced));
  const sampler = startResourceSampler(
    () => workers.list(),
    (worker, container) => {
      worker.life.setExitReason(container, "OOMKilled");
      const spec = worker.pod().spec.containers.find((c) => c.name === container);
      if (spec !== undefined) worker.life.kill(spec, `Container ${container} exceeded its memory limit`, 0);
    },
    clock,
  );
  const server =
    options.serving === undefined
      ? undefined
      : await startKubeletServer(options.serving, {
          workers,
          sampler,
          stateDir,
          nodeName,
          clock,
          log,
          upgrade: createUpgradeListener(createStreamHandlers(workers, context)),
        });
  const port = server?.port ?? 0;
  const agent = await startNodeAgent(facts, port, client, clock, log);
  await workers.start(pods);
  const unsubscribe = [
    configMaps.onChange(({ object }) =>
      workers.onConfigChanged("ConfigMap", object.metadata.namespace ?? "", object.metadata.name),
    ),
    secrets.onChange(({ object }) =>
      workers.onConfigChanged("Secret", object.metadata.namespace ?? "", object.metadata.name),
    ),
  ];
  return {
    port,
    async close() {
      sampler.close();
      await server?.close();
      for (const end of unsubscribe) end();
      proxies.close();
      await agent.close();
      await workers.close();
      context.states.close();
      await Promise.all(informers.map((each) => each.close()));
      await statuses.close();
      await recorder.close();
    },
  };
}

function loadBalancerPorts(services: readonly Service[]): Readonly<Record<number, string>> {
  const ports: Record<number, string> = {};
  for (const { spec } of services) {
    if (spec.type !== "LoadBalancer" || spec.clusterIP === undefined) continue;
    for (const { port } of spec.ports ?? []) ports[port] ??= spec.clusterIP;
  }
  return ports;
}
