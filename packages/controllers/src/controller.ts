/**
 * What a controller is: a name and a start function that is called when every informer it asked for has synced. Controllers meet only
 * through the API server; the informers they share are copies of it.
 */
import type { Clock, Logger } from "@argyle/core";
import { createInformer, type EventRecorder, type Informer, type KubeClient } from "@argyle/kube-client";
import { type KubeObject, type Resource, resourceOf } from "@argyle/kube-types";

export interface ControllerContext {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  /** Written as the controller's own component. */
  readonly events: EventRecorder;
  /** The shared, synced copy of a resource that is listed in the controller's `needs`. */
  informer<T extends KubeObject>(resource: Resource): Informer<T>;
}

export interface Controller {
  readonly name: string;
  /** The resources it reads from informers. */
  readonly needs: readonly Resource[];
  start(context: ControllerContext): RunningController;
}

export interface RunningController {
  close(): Promise<void>;
}

/** The resources that controllers name most. */
export const KINDS = {
  pod: resourceOf("Pod", ""),
  node: resourceOf("Node", ""),
  service: resourceOf("Service", ""),
  endpoints: resourceOf("Endpoints", ""),
  endpointSlice: resourceOf("EndpointSlice"),
  deployment: resourceOf("Deployment", "apps"),
  replicaSet: resourceOf("ReplicaSet", "apps"),
  namespace: resourceOf("Namespace", ""),
  serviceAccount: resourceOf("ServiceAccount", ""),
  configMap: resourceOf("ConfigMap", ""),
  event: resourceOf("Event", ""),
} as const;

export interface InformerSet {
  of<T extends KubeObject>(resource: Resource): Informer<T>;
  close(): Promise<void>;
}

/** One informer per resource, made when it is first asked for. */
export function createInformerSet(deps: {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
}): InformerSet {
  const informers = new Map<Resource, Informer<KubeObject>>();
  return {
    of<T extends KubeObject>(resource: Resource) {
      const informer = informers.get(resource) ?? createInformer<KubeObject>({ ...deps, resource });
      informers.set(resource, informer);
      return informer as Informer<KubeObject> as Informer<T>;
    },
    async close() {
      await Promise.all([...informers.values()].map((informer) => informer.close()));
    },
  };
}
