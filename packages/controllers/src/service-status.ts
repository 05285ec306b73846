/**
 * Service load balancer: every Service of type LoadBalancer is at 127.0.0.1, where kube-proxy listens. A Service that is no longer one
 * loses its address.
 */
import { createReconciler, objectKey } from "@argyle/kube-client";
import type { Service } from "@argyle/kube-types";
import { type Controller, type ControllerContext, KINDS } from "./controller.ts";
import { refOf } from "./ownership.ts";

export const serviceStatusController: Controller = {
  name: "service-controller",
  needs: [KINDS.service],
  start,
};

const ADDRESS = "127.0.0.1";

function start(context: ControllerContext) {
  const services = context.informer<Service>(KINDS.service);
  const reconciler = createReconciler({
    name: serviceStatusController.name,
    clock: context.clock,
    log: context.log,
    random: context.random,
    async reconcile(key) {
      const service = services.get(key);
      if (service === undefined || service.metadata.deletionTimestamp !== undefined) return undefined;
      const ingress = service.status?.loadBalancer?.ingress ?? [];
      const wanted = service.spec.type === "LoadBalancer" ? [{ ip: ADDRESS, ipMode: "VIP" }] : [];
      if (ingress.length === wanted.length && ingress[0]?.ip === wanted[0]?.ip) return undefined;
      const status = { loadBalancer: wanted.length === 0 ? { ingress: null } : { ingress: wanted } };
      await context.client.patch(KINDS.service, refOf(service), "merge", { status }, { subresource: "status" });
      return undefined;
    },
  });
  reconciler.watch(services, (service) => [objectKey(service)]);
  return { close: reconciler.close };
}
