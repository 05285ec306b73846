/**
 * Which webhooks a request goes to: rules, namespaceSelector, objectSelector, matchPolicy. Pure.
 * Source: Kubernetes documentation, "Dynamic Admission Control", "Matching requests".
 */
import {
  type KubeObject,
  matchesLabelSelector,
  type Resource,
  type Webhook,
  type WebhookRule,
} from "@argyle/kube-types";
import type { Identity } from "../authn.ts";
import type { JsonObject } from "../json.ts";

export type Operation = "CREATE" | "UPDATE" | "DELETE" | "CONNECT";

export interface AdmissionRequest {
  readonly operation: Operation;
  readonly resource: Resource;
  /** Of the URL. */
  readonly version: string;
  readonly subresource: string | undefined;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly object: JsonObject | undefined;
  readonly oldObject: KubeObject | undefined;
  readonly user: Identity;
  readonly isDryRun: boolean;
  readonly options: JsonObject;
}

/** The version under which the webhook wants the object, or undefined when the request is not for it. */
export function matchWebhook(
  webhook: Webhook,
  request: AdmissionRequest,
  namespaceObject: KubeObject | undefined,
): string | undefined {
  const { resource } = request;
  const version = matchRules(webhook, request);
  if (version === undefined) return undefined;
  const namespaceLabels =
    resource.kind === "Namespace"
      ? labelsOf(request.object ?? request.oldObject)
      : resource.namespaced
        ? (namespaceObject?.metadata.labels ?? {})
        : undefined;
  if (namespaceLabels !== undefined && !matchesLabelSelector(webhook.namespaceSelector, namespaceLabels))
    return undefined;
  const objectMatches =
    matchesLabelSelector(webhook.objectSelector, labelsOf(request.object)) ||
    (request.oldObject !== undefined && matchesLabelSelector(webhook.objectSelector, labelsOf(request.oldObject)));
  return objectMatches ? version : undefined;
}

function matchRules(webhook: Webhook, request: AdmissionRequest): string | undefined {
  const { resource } = request;
  const rules = webhook.rules ?? [];
  if (rules.some((rule) => matchesRule(rule, request, request.version))) return request.version;
  if (webhook.matchPolicy === "Exact") return undefined;
  return resource.versions.find((version) => rules.some((rule) => matchesRule(rule, request, version)));
}

function matchesRule(rule: WebhookRule, request: AdmissionRequest, version: string): boolean {
  const { resource } = request;
  const has = (list: readonly string[] | undefined, value: string) =>
    list !== undefined && (list.includes("*") || list.includes(value));
  if (!has(rule.operations, request.operation)) return false;
  if (!has(rule.apiGroups, resource.group) || !has(rule.apiVersions, version)) return false;
  if (rule.scope === "Cluster" && resource.namespaced) return false;
  if (rule.scope === "Namespaced" && !resource.namespaced) return false;
  return (rule.resources ?? []).some((pattern) => matchesResource(pattern, resource.plural, request.subresource));
}

/** `pods`, `pods/status`, `pods/*`, `*`, `*&#47;scale`, `*&#47;*`; a pattern without slash never means a subresource. */
function matchesResource(pattern: string, plural: string, subresource: string | undefined): boolean {
  if (pattern === "*/*") return true;
  const [wanted, wantedSub] = pattern.split("/");
  if (wanted !== "*" && wanted !== plural) return false;
  return wantedSub === "*" ? true : wantedSub === subresource;
}

function labelsOf(object: JsonObject | KubeObject | undefined): Readonly<Record<string, string>> {
  const metadata = object?.metadata;
  if (typeof metadata !== "object" || metadata === null || !("labels" in metadata)) return {};
  const labels = metadata.labels;
  return typeof labels === "object" && labels !== null ? (labels as Readonly<Record<string, string>>) : {};
}
