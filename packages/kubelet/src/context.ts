/** What the parts of one kubelet share. Built once by kubelet.ts. */
import type { Logger } from "@argyle/core";
import type { EventRecorder } from "@argyle/kube-client";
import type { ConfigMap, Container, Pod, Secret, Service } from "@argyle/kube-types";
import type { NodeFacts } from "./downward.ts";
import type { MountNamespace } from "./mount-namespace.ts";
import type { KubeletOptions } from "./options.ts";
import type { PodIpAllocator } from "./pod-ip.ts";
import type { PodStateStore } from "./pod-state-file.ts";
import type { ProcessRunner } from "./process-runner.ts";
import type { ProxyRunner } from "./proxy-runner.ts";
import type { StatusWriter } from "./status-writer.ts";

export interface ObjectLookup {
  configMap(namespace: string, name: string): ConfigMap | undefined;
  secret(namespace: string, name: string): Secret | undefined;
  /** Services of the namespace, and default/kubernetes. */
  services(namespace: string): readonly Service[];
  /** LoadBalancer port → cluster IP. */
  loadBalancerPorts(): Readonly<Record<number, string>>;
}

export interface KubeletContext {
  readonly options: KubeletOptions;
  readonly log: Logger;
  readonly node: NodeFacts;
  readonly nodePath: string;
  readonly recorder: EventRecorder;
  readonly lookup: ObjectLookup;
  readonly processes: ProcessRunner;
  readonly proxies: ProxyRunner;
  readonly ips: PodIpAllocator;
  readonly states: PodStateStore;
  readonly statuses: StatusWriter;
  /** Undefined where rootless mount namespaces are not permitted. */
  readonly mountNamespace: MountNamespace | undefined;
}

export type PodEvents = (type: "Normal" | "Warning", reason: string, message: string, container?: Container) => void;

/** Records Events about a pod or one of its containers. */
export function podEvents(pod: Pod, recorder: EventRecorder): PodEvents {
  const { name, namespace, uid, resourceVersion } = pod.metadata;
  const metadata = {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
  return (type, reason, message, container) => {
    const isInit = container !== undefined && (pod.spec.initContainers ?? []).some((c) => c.name === container.name);
    const fieldPath = `spec.${isInit ? "initContainers" : "containers"}{${container?.name}}`;
    const subject = { apiVersion: "v1", kind: "Pod", metadata, ...(container === undefined ? {} : { fieldPath }) };
    recorder.event(subject, type, reason, message);
  };
}
