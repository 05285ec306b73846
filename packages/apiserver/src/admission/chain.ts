/**
 * Admission of writes, in Kubernetes' order: built-in mutation (service accounts), mutating webhooks one after another, and, after the
 * object is final and valid, the validating webhooks all at once. Webhook configurations are exempt from webhooks: a broken one can be mended.
 */
import { type Clock, describeError, type Logger } from "@argyle/core";
import {
  type KubeObject,
  type MutatingWebhook,
  type MutatingWebhookConfiguration,
  resourceOf,
  type ValidatingWebhookConfiguration,
  type Webhook,
} from "@argyle/kube-types";
import { equalJson, type JsonObject } from "../json.ts";
import type { DialService } from "../options.ts";
import { StatusError } from "../status.ts";
import type { Store } from "../storage.ts";
import type { WatchHub } from "../watch-hub.ts";
import { type AdmissionRequest, matchWebhook } from "./match.ts";
import { admitPodServiceAccount, awaitDefaultServiceAccount } from "./service-account.ts";
import { applyWebhookPatch, callWebhook, failedCall, type Verdict } from "./webhook.ts";
import { createWebhookConnections } from "./webhook-connections.ts";

export interface Admission {
  /** The object after every mutation; the one given when nothing changed it. */
  mutate(request: AdmissionRequest & { readonly object: JsonObject }, warnings: string[]): Promise<JsonObject>;
  /** Throws StatusError when a webhook denies the request. */
  validate(request: AdmissionRequest, warnings: string[]): Promise<void>;
  close(): void;
}

export interface AdmissionDeps {
  readonly store: Store;
  readonly hub: WatchHub;
  readonly dialService: DialService;
  readonly clock: Clock;
  readonly log: Logger;
}

const MUTATING = resourceOf("MutatingWebhookConfiguration");
const VALIDATING = resourceOf("ValidatingWebhookConfiguration");
const NAMESPACES = resourceOf("Namespace");

export function createAdmission(deps: AdmissionDeps): Admission {
  const { store, log, clock } = deps;
  const connections = createWebhookConnections(deps.dialService, clock);
  const namespaceOf = (request: AdmissionRequest) =>
    request.namespace === undefined ? undefined : store.get(NAMESPACES, undefined, request.namespace);
  const isExempt = (request: AdmissionRequest) => request.resource.group === "admissionregistration.k8s.io";

  /** The verdict, or undefined when the webhook is not concerned or its failure is to be ignored. */
  const ask = async (webhook: Webhook, request: AdmissionRequest): Promise<Verdict | undefined> => {
    const version = matchWebhook(webhook, request, namespaceOf(request));
    if (version === undefined) return undefined;
    if (request.isDryRun && webhook.sideEffects !== "None" && webhook.sideEffects !== "NoneOnDryRun") {
      throw failedCall(webhook, new Error("the webhook has side effects and does not support dry run"));
    }
    try {
      return await callWebhook(webhook, request, version, { connections, clock });
    } catch (error) {
      if (error instanceof StatusError) throw error;
      if (webhook.failurePolicy === "Ignore") {
        log.warn("admission: ignoring a failed webhook", { webhook: webhook.name, error: describeError(error) });
        return undefined;
      }
      throw failedCall(webhook, error);
    }
  };

  return {
    async mutate(request, warnings) {
      let object = request.object;
      if (request.resource.kind === "Pod" && request.operation === "CREATE" && request.subresource === undefined) {
        await awaitDefaultServiceAccount(object, deps);
        admitPodServiceAccount(object, store);
      }
      if (isExempt(request)) return object;
      const webhooks = listWebhooks<MutatingWebhook>(store.list(MUTATING));
      const again: { readonly webhook: MutatingWebhook; readonly seen: JsonObject }[] = [];
      const apply = async (webhook: MutatingWebhook) => {
        const verdict = await ask(webhook, { ...request, object });
        if (verdict === undefined) return false;
        warnings.push(...verdict.warnings);
        if (verdict.patch !== undefined) object = applyWebhookPatch(webhook, object, verdict.patch);
        return true;
      };
      for (const webhook of webhooks) {
        const wasAsked = await apply(webhook);
        if (wasAsked && webhook.reinvocationPolicy === "IfNeeded") again.push({ webhook, seen: object });
      }
      for (const { webhook, seen } of again) if (!equalJson(seen, object)) await apply(webhook);
      return object;
    },
    async validate(request, warnings) {
      if (isExempt(request)) return;
      const webhooks = listWebhooks<Webhook>(store.list(VALIDATING));
      const verdicts = await Promise.allSettled(webhooks.map((webhook) => ask(webhook, request)));
      for (const verdict of verdicts) {
        if (verdict.status === "rejected") throw verdict.reason;
        if (verdict.value !== undefined) warnings.push(...verdict.value.warnings);
      }
    },
    close: () => connections.close(),
  };
}

/** In the order of configuration names, then as listed. Decode edge: the store holds what the schema let through. */
function listWebhooks<T extends Webhook>(configurations: readonly KubeObject[]): readonly T[] {
  return configurations.flatMap((configuration) => {
    const { webhooks } = configuration as MutatingWebhookConfiguration | ValidatingWebhookConfiguration;
    return (webhooks ?? []) as readonly Webhook[] as readonly T[];
  });
}
