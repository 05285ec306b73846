/**
 * Keeps the mesh's root certificate in the two webhook configurations, so that the API server can verify istiod. The manifest lets objects pass
 * unvalidated (Ignore) while there is no istiod; an istiod that serves makes validation binding (Fail), as Istio's does.
 */
import type { Clock, Logger } from "@argyle/core";
import { createInformer, createReconciler, type KubeClient } from "@argyle/kube-client";
import { type MutatingWebhookConfiguration, resourceOf, type ValidatingWebhookConfiguration } from "@argyle/kube-types";

export const INJECTOR_CONFIGURATION = "istio-sidecar-injector";
export const VALIDATOR_CONFIGURATION = "istiod-default-validator";

type Configuration = MutatingWebhookConfiguration | ValidatingWebhookConfiguration;

export interface CaBundleOptions {
  readonly client: KubeClient;
  readonly rootCertPem: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The patch that sets what differs; undefined when all is right already. */
export function caBundlePatch(configuration: Configuration, caBundle: string): readonly unknown[] | undefined {
  const operations = (configuration.webhooks ?? []).flatMap((webhook, index) => {
    const at = `/webhooks/${index}`;
    const bundle = { op: "add", path: `${at}/clientConfig/caBundle`, value: caBundle };
    const binding = { op: "add", path: `${at}/failurePolicy`, value: "Fail" };
    return [
      ...(webhook.clientConfig.caBundle === caBundle ? [] : [bundle]),
      ...(webhook.failurePolicy === "Fail" ? [] : [binding]),
    ];
  });
  return operations.length === 0 ? undefined : operations;
}

export function startCaBundleController(options: CaBundleOptions): { close(): Promise<void> } {
  const { client, clock, log } = options;
  const caBundle = Buffer.from(options.rootCertPem).toString("base64");
  const parts = (
    [
      ["MutatingWebhookConfiguration", INJECTOR_CONFIGURATION],
      ["ValidatingWebhookConfiguration", VALIDATOR_CONFIGURATION],
    ] as const
  ).map(([kind, name]) => {
    const resource = resourceOf(kind);
    const informer = createInformer<Configuration>({
      client,
      resource,
      clock,
      log,
      fieldSelector: `metadata.name=${name}`,
    });
    const reconciler = createReconciler({
      name: "ca-bundle",
      clock,
      log,
      async reconcile(key) {
        const held = informer.get(key);
        const patch = held === undefined || key !== name ? undefined : caBundlePatch(held, caBundle);
        if (patch !== undefined) await client.patch(resource, { name }, "json", patch);
        return undefined;
      },
    });
    reconciler.watch(informer, (configuration) => [configuration.metadata.name]);
    return { informer, reconciler };
  });
  return {
    async close() {
      await Promise.all(parts.flatMap(({ informer, reconciler }) => [informer.close(), reconciler.close()]));
    },
  };
}
