/** AdmissionReview, v1: the question of the API server and our answer. Spec: Kubernetes, Dynamic Admission Control. */
import type { KubeObject } from "@argyle/kube-types";
import { isRecord } from "../model/json.ts";
import type { PatchOperation } from "./inject.ts";

export interface AdmissionRequest {
  readonly uid: string;
  readonly namespace: string;
  readonly operation: string;
  readonly object: KubeObject | undefined;
}

export type AdmissionAnswer =
  | { readonly allowed: true; readonly patch?: readonly PatchOperation[]; readonly warnings?: readonly string[] }
  | { readonly allowed: false; readonly message: string };

export function decodeAdmissionReview(body: unknown): AdmissionRequest | undefined {
  const request = isRecord(body) ? body.request : undefined;
  if (!isRecord(request) || typeof request.uid !== "string") return undefined;
  const { object } = request;
  return {
    uid: request.uid,
    namespace: typeof request.namespace === "string" ? request.namespace : "",
    operation: typeof request.operation === "string" ? request.operation : "",
    object: isRecord(object) && isRecord(object.metadata) ? (object as unknown as KubeObject) : undefined,
  };
}

export function encodeAdmissionReview(uid: string, answer: AdmissionAnswer): unknown {
  return {
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    response: { uid, ...responseOf(answer) },
  };
}

function responseOf(answer: AdmissionAnswer): Readonly<Record<string, unknown>> {
  if (!answer.allowed) return { allowed: false, status: { message: answer.message, code: 400, reason: "BadRequest" } };
  const warnings = answer.warnings === undefined ? {} : { warnings: answer.warnings };
  if (answer.patch === undefined || answer.patch.length === 0) return { allowed: true, ...warnings };
  return {
    allowed: true,
    ...warnings,
    patchType: "JSONPatch",
    patch: Buffer.from(JSON.stringify(answer.patch)).toString("base64"),
  };
}
