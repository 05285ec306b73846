/** What istiod's two webhooks answer: /inject for pods, /validate for Istio's kinds. Pure; the HTTPS rim is server.ts. */
import { formatProblems } from "@argyle/core";
import type { IstioReport, KubeObject, Pod } from "@argyle/kube-types";
import type { AdmissionAnswer, AdmissionRequest } from "./admission-review.ts";
import { type InjectionTarget, type InjectOptions, injectPod } from "./inject.ts";

/** Istio's semantic validation (`validateIstio` of kube-types). */
export type ValidateIstio = (object: KubeObject) => IstioReport;

export function answerInject(
  request: AdmissionRequest,
  namespace: InjectionTarget,
  options: InjectOptions,
): AdmissionAnswer {
  if (request.object === undefined) return { allowed: false, message: "the review carries no object" };
  return { allowed: true, patch: injectPod(request.object as Pod, namespace, options) };
}

/** All problems in one message: whoever applies a manifest should not have to apply it again to see the next one. */
export function answerValidate(request: AdmissionRequest, validate: ValidateIstio): AdmissionAnswer {
  if (request.operation === "DELETE") return { allowed: true };
  if (request.object === undefined) return { allowed: false, message: "the review carries no object" };
  const { errors, warnings } = validate(request.object);
  if (errors.length > 0) return { allowed: false, message: `configuration is invalid: ${formatProblems(errors)}` };
  return warnings.length === 0 ? { allowed: true } : { allowed: true, warnings };
}
