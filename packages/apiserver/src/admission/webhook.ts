/**
 * One call of one webhook: AdmissionReview admission.k8s.io/v1 over HTTPS, and what its answer means.
 * Source: Kubernetes documentation, "Dynamic Admission Control", "Webhook request and response".
 */
import { randomUUID } from "node:crypto";
import { type Clock, describeError } from "@argyle/core";
import { apiVersionOf, type Webhook } from "@argyle/kube-types";
import jsonPatch from "fast-json-patch";
import { cloneJson, isJsonObject, type JsonObject, listOf, objectOf, textOf } from "../json.ts";
import { failure, internalError, type StatusError } from "../status.ts";
import { readText, type TlsTarget } from "../tls-request.ts";
import type { AdmissionRequest } from "./match.ts";
import type { WebhookConnections } from "./webhook-connections.ts";

export interface WebhookDeps {
  readonly connections: WebhookConnections;
  readonly clock: Clock;
}

export interface Verdict {
  readonly patch: readonly unknown[] | undefined;
  readonly warnings: readonly string[];
}

const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

/** Throws StatusError when the webhook denies; anything else that is thrown is a failed call. */
export async function callWebhook(
  webhook: Webhook,
  request: AdmissionRequest,
  version: string,
  deps: WebhookDeps,
): Promise<Verdict> {
  const uid = randomUUID();
  const { target, path } = endpointOf(webhook);
  const abort = new AbortController();
  const timer = deps.clock.after((webhook.timeoutSeconds ?? 10) * 1000, () => abort.abort());
  let text: string;
  let code: number;
  try {
    const response = await deps.connections.post(
      target,
      `${path}${path.includes("?") ? "&" : "?"}timeout=${webhook.timeoutSeconds ?? 10}s`,
      JSON.stringify(buildReview(uid, request, version)),
      abort.signal,
    );
    code = response.statusCode ?? 0;
    text = await readText(response, MAX_ANSWER_BYTES);
  } finally {
    timer.cancel();
  }
  if (code < 200 || code > 299) throw new Error(`the server answered ${code}: ${text.slice(0, 200)}`);
  return readAnswer(webhook.name, uid, text);
}

export function failedCall(webhook: Webhook, error: unknown): StatusError {
  return internalError(`failed calling webhook "${webhook.name}": failed to call webhook: ${describeError(error)}`);
}

/** Applies a webhook's JSON patch to a copy. */
export function applyWebhookPatch(webhook: Webhook, object: JsonObject, patch: readonly unknown[]): JsonObject {
  try {
    const operations = patch as Parameters<typeof jsonPatch.applyPatch>[1];
    const { newDocument } = jsonPatch.applyPatch(cloneJson(object), operations, true);
    if (!isJsonObject(newDocument)) throw new Error("the result is not an object");
    return newDocument;
  } catch (error) {
    throw internalError(`the patch of webhook "${webhook.name}" cannot be applied: ${describeError(error)}`);
  }
}

function endpointOf(webhook: Webhook): { readonly target: TlsTarget; readonly path: string } {
  const { service, url, caBundle } = webhook.clientConfig;
  const caPem =
    caBundle === undefined || caBundle === "" ? undefined : Buffer.from(caBundle, "base64").toString("utf8");
  if (service !== undefined) {
    const host = `${service.name}.${service.namespace}.svc`;
    return { target: { host, port: service.port ?? 443, serverName: host, caPem }, path: service.path ?? "/" };
  }
  if (url === undefined) throw new Error("clientConfig has neither a service nor a url");
  const parsed = new URL(url);
  const host = parsed.hostname.replace(/^\[|\]$/g, "");
  const port = parsed.port === "" ? 443 : Number(parsed.port);
  return { target: { host, port, serverName: host, caPem }, path: `${parsed.pathname}${parsed.search}` };
}

function buildReview(uid: string, request: AdmissionRequest, version: string): JsonObject {
  const { resource } = request;
  const kind = (v: string) => ({ group: resource.group, version: v, kind: resource.kind });
  const plural = (v: string) => ({ group: resource.group, version: v, resource: resource.plural });
  const apiVersion = apiVersionOf(resource, version);
  const sub = request.subresource;
  return {
    kind: "AdmissionReview",
    apiVersion: "admission.k8s.io/v1",
    request: {
      uid,
      kind: kind(version),
      resource: plural(version),
      ...(sub === undefined ? {} : { subResource: sub }),
      requestKind: kind(request.version),
      requestResource: plural(request.version),
      ...(sub === undefined ? {} : { requestSubResource: sub }),
      name: request.name,
      ...(request.namespace === undefined ? {} : { namespace: request.namespace }),
      operation: request.operation,
      userInfo: request.user,
      object: request.object === undefined ? null : { ...request.object, apiVersion, kind: resource.kind },
      oldObject: request.oldObject === undefined ? null : { ...request.oldObject, apiVersion, kind: resource.kind },
      dryRun: request.isDryRun,
      options: Object.keys(request.options).length === 0 ? null : request.options,
    },
  };
}

function readAnswer(name: string, uid: string, text: string): Verdict {
  const review = objectOf(JSON.parse(text));
  if (review.kind !== "AdmissionReview")
    throw new Error(`expected an AdmissionReview, got kind ${String(review.kind)}`);
  const response = objectOf(review.response);
  if (response.uid !== uid) throw new Error(`expected response.uid="${uid}", got "${String(response.uid)}"`);
  const warnings = listOf(response.warnings).filter((w) => typeof w === "string");
  if (response.allowed !== true) throw denial(name, objectOf(response.status));
  const encoded = textOf(response.patch);
  if (encoded === undefined || encoded === "") return { patch: undefined, warnings };
  if (response.patchType !== "JSONPatch") throw new Error(`patchType ${String(response.patchType)} is not JSONPatch`);
  const patch: unknown = JSON.parse(Buffer.from(encoded, "base64").toString("utf8"));
  if (!Array.isArray(patch)) throw new Error("the patch is not a list");
  return { patch, warnings };
}

function denial(name: string, status: JsonObject): StatusError {
  const why = textOf(status.message) || textOf(status.reason);
  const prefix = `admission webhook "${name}" denied the request`;
  const message = why === undefined ? `${prefix} without explanation` : `${prefix}: ${why}`;
  const given = typeof status.code === "number" ? status.code : 0;
  const code = given >= 400 && given <= 599 ? given : given === 0 && status.reason === undefined ? 400 : 403;
  const reason = textOf(status.reason) ?? (code === 403 ? "Forbidden" : code === 400 ? "BadRequest" : "Invalid");
  const details = isJsonObject(status.details) ? status.details : undefined;
  return failure(code, reason, message, details);
}
