/**
 * The two endpoint controllers. Both are woken by the same changes and compute from the same pure functions; they write different
 * objects, so each has a queue of its own and a failure of one does not hold up the other.
 * A change of a pod's readiness is written in the same turn in which the watch showed it.
 */
import { isDeepStrictEqual } from "node:util";
import {
  createReconciler,
  isAlreadyExists,
  isNotFound,
  type KubeClient,
  keyOf,
  namespaceOf,
  objectKey,
} from "@argyle/kube-client";
import {
  type EndpointSlice,
  type Endpoints,
  type KubeObject,
  type Pod,
  type Resource,
  SERVICE_NAME_LABEL,
  type Service,
} from "@argyle/kube-types";
import { type Controller, type ControllerContext, KINDS } from "../controller.ts";
import { randomSuffix } from "../names.ts";
import { refOf } from "../ownership.ts";
import { buildGroups, buildSubsets, hasComputedEndpoints, isHeadless, selectsPod } from "./build.ts";
import { MANAGED_BY, MANAGED_BY_LABEL, planSlices } from "./slices.ts";

export const endpointSliceController: Controller = {
  name: "endpointslice-controller",
  needs: [KINDS.service, KINDS.pod, KINDS.endpointSlice],
  start: startSlices,
};

export const endpointsController: Controller = {
  name: "endpoint-controller",
  needs: [KINDS.service, KINDS.pod, KINDS.endpoints],
  start: startEndpoints,
};

function startSlices(context: ControllerContext) {
  const { client } = context;
  const sources = watchSources(context);
  const slices = context.informer<EndpointSlice>(KINDS.endpointSlice);
  const slicesByService = slices.index(serviceKeysOf);
  // Made, but not shown by the watch yet: a second one must not be made for the same pods.
  const unseen = new Map<string, Map<string, EndpointSlice>>();

  const existingOf = (key: string): readonly EndpointSlice[] => {
    const seen = slicesByService.lookup(key);
    const pending = unseen.get(key);
    if (pending === undefined) return seen;
    for (const slice of seen) pending.delete(slice.metadata.name);
    if (pending.size === 0) unseen.delete(key);
    return [...seen, ...pending.values()];
  };

  const reconcile = async (key: string) => {
    const service = sources.services.get(key);
    if (service === undefined || !hasComputedEndpoints(service)) {
      if (service !== undefined) for (const slice of existingOf(key)) await remove(slice);
      unseen.delete(key);
      return undefined;
    }
    const groups = buildGroups(service, sources.podsOf(service));
    const plan = planSlices(
      service,
      groups,
      existingOf(key),
      () => `${service.metadata.name}-${randomSuffix(context.random)}`,
    );
    for (const slice of plan.create) {
      const made = await client.create<EndpointSlice>(KINDS.endpointSlice, slice);
      const pending = unseen.get(key) ?? new Map<string, EndpointSlice>();
      unseen.set(key, pending.set(made.metadata.name, made));
    }
    for (const slice of plan.update) {
      const { endpoints, ports } = slice;
      try {
        await overwrite(client, KINDS.endpointSlice, slices.get(objectKey(slice)), slice, { endpoints, ports });
      } catch (thrown) {
        unseen.get(key)?.delete(slice.metadata.name);
        throw thrown;
      }
    }
    for (const slice of plan.remove) await remove(slice);
    return undefined;
  };

  const remove = async (slice: EndpointSlice) => {
    try {
      await client.delete(KINDS.endpointSlice, refOf(slice));
    } catch (thrown) {
      if (!isNotFound(thrown)) throw thrown;
    }
  };

  const reconciler = newReconciler(context, endpointSliceController.name, reconcile);
  sources.wake(reconciler);
  reconciler.watch(slices, serviceKeysOf);
  return { close: reconciler.close };
}

function startEndpoints(context: ControllerContext) {
  const { client } = context;
  const sources = watchSources(context);
  const all = context.informer<Endpoints>(KINDS.endpoints);

  const reconcile = async (key: string) => {
    const service = sources.services.get(key);
    const held = all.get(key);
    if (service === undefined) {
      // Written by this controller only: an Endpoints object that an author wrote has no such label.
      if (held?.metadata.labels?.[MANAGED_BY_LABEL] === MANAGED_BY) await remove(held);
      return undefined;
    }
    if (!hasComputedEndpoints(service)) return undefined;
    const subsets = buildSubsets(buildGroups(service, sources.podsOf(service)));
    const { name, namespace } = service.metadata;
    const labels = {
      ...service.metadata.labels,
      [MANAGED_BY_LABEL]: MANAGED_BY,
      ...(isHeadless(service) ? { "service.kubernetes.io/headless": "" } : {}),
    };
    if (held === undefined) {
      const metadata = { name, labels, ...(namespace === undefined ? {} : { namespace }) };
      try {
        await client.create(KINDS.endpoints, { apiVersion: "v1", kind: "Endpoints", metadata, ...{ subsets } });
      } catch (thrown) {
        if (!isAlreadyExists(thrown)) throw thrown;
        return { requeueAfterMs: 20 };
      }
    } else if (!isDeepStrictEqual(held.subsets ?? [], subsets) || !isDeepStrictEqual(held.metadata.labels, labels))
      await overwrite(client, KINDS.endpoints, held, { ...held, metadata: { ...held.metadata, labels } }, { subsets });
    return undefined;
  };

  const remove = async (held: Endpoints) => {
    try {
      await client.delete(KINDS.endpoints, refOf(held));
    } catch (thrown) {
      if (!isNotFound(thrown)) throw thrown;
    }
  };

  const reconciler = newReconciler(context, endpointsController.name, reconcile);
  sources.wake(reconciler);
  reconciler.watch(all, (endpoints) => [objectKey(endpoints)]);
  return { close: reconciler.close };
}

/** Services with the pods they select, and who is to be woken when either changes. */
function watchSources(context: ControllerContext) {
  const services = context.informer<Service>(KINDS.service);
  const pods = context.informer<Pod>(KINDS.pod);
  const servicesByNamespace = services.index(namespaceOf);
  const podsByNamespace = pods.index(namespaceOf);
  return {
    services,
    podsOf: (service: Service) =>
      podsByNamespace.lookup(service.metadata.namespace ?? "").filter((pod) => selectsPod(service, pod)),
    wake(reconciler: ReturnType<typeof createReconciler>) {
      reconciler.watch(services, (service) => [objectKey(service)]);
      reconciler.watch(pods, (pod) =>
        servicesByNamespace
          .lookup(pod.metadata.namespace ?? "")
          .filter((service) => selectsPod(service, pod))
          .map(objectKey),
      );
    },
  };
}

/** A pod changes several times while it starts; its Service need not be written for each. */
const REST_MS = 50;

function newReconciler(
  context: ControllerContext,
  name: string,
  reconcile: (key: string) => Promise<{ readonly requeueAfterMs?: number } | undefined>,
) {
  const { clock, log, random } = context;
  return createReconciler({
    name,
    clock,
    log,
    random,
    reconcile,
    concurrency: 4,
    restMs: REST_MS,
    backoff: { baseMs: 5, maxMs: 1000 },
  });
}

/**
 * Writes labels and content without regard to the version: this controller is the only writer, and with two changes in a row the second would
 * otherwise lose a round trip to the first one's echo.
 */
async function overwrite(
  client: KubeClient,
  resource: Resource,
  held: KubeObject | undefined,
  next: KubeObject,
  content: Readonly<Record<string, unknown>>,
): Promise<void> {
  const gone = Object.keys(held?.metadata.labels ?? {}).filter((key) => next.metadata.labels?.[key] === undefined);
  const labels = { ...next.metadata.labels, ...Object.fromEntries(gone.map((key) => [key, null])) };
  const { ownerReferences } = next.metadata;
  const metadata = { labels, ...(ownerReferences === undefined ? {} : { ownerReferences }) };
  await client.patch(resource, refOf(next), "merge", { metadata, ...content });
}

function serviceKeysOf(slice: EndpointSlice): readonly string[] {
  const name = slice.metadata.labels?.[SERVICE_NAME_LABEL];
  if (name === undefined || slice.metadata.labels?.[MANAGED_BY_LABEL] !== MANAGED_BY) return [];
  return [keyOf(slice.metadata.namespace, name)];
}
