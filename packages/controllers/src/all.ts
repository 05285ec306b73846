/**
 * The list of controllers and their start: each begins when the informers it needs have synced, so none decides on half a picture.
 */
import { type Clock, describeError, type Logger } from "@argyle/core";
import { createEventRecorder, type KubeClient } from "@argyle/kube-client";
import { type Controller, createInformerSet, type RunningController } from "./controller.ts";
import { deploymentController } from "./deployment/deployment.ts";
import { endpointSliceController, endpointsController } from "./endpoints/controllers.ts";

import { garbageCollector } from "./garbage-collector.ts";
import { namespaceController } from "./namespace.ts";
import { podGcController } from "./pod-gc.ts";
import { replicaSetController } from "./replica-set.ts";
import { scheduler } from "./scheduler.ts";
import { createServiceAccountController } from "./service-account.ts";
import { serviceStatusController } from "./service-status.ts";

export interface ControllersOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  /** PEM of the API server's CA, published as kube-root-ca.crt in every namespace. */
  readonly clusterCa: string;
}

export interface RunningControllers {
  /** Resolves when every informer has synced and every controller works. */
  readonly started: Promise<void>;
  close(): Promise<void>;
}

export function allControllers(clusterCa: string): readonly Controller[] {
  return [
    scheduler,
    replicaSetController,
    deploymentController,
    endpointSliceController,
    endpointsController,
    serviceStatusController,
    createServiceAccountController(clusterCa),
    namespaceController,
    garbageCollector,
    podGcController,
  ];
}

export function startControllers(options: ControllersOptions): RunningControllers {
  const { client, clock, log, random } = options;
  const informers = createInformerSet({ client, clock, log, random });
  const running: RunningController[] = [];
  let isClosed = false;

  const startOne = async (controller: Controller) => {
    const events = createEventRecorder({ client, clock, log, random, component: controller.name });
    running.push(events);
    await Promise.all(controller.needs.map((resource) => informers.of(resource).synced));
    if (isClosed) return;
    running.push(controller.start({ client, clock, log, random, events, informer: informers.of }));
    log.debug("controller started", { controller: controller.name });
  };

  const started = Promise.all(allControllers(options.clusterCa).map(startOne)).then(() => undefined);
  started.catch((thrown: unknown) => {
    if (!isClosed) log.error("controllers did not start", { error: describeError(thrown) });
  });
  return {
    started,
    async close() {
      isClosed = true;
      await Promise.all(running.map((one) => one.close()));
      await informers.close();
    },
  };
}
