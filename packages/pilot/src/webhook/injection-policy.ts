/**
 * Does this pod get a sidecar? The pod's label beats its annotation, both beat the namespace; pods on the host's network never do.
 * The webhook's selectors have asked most of this already; the function answers it whole so that `argyle inject` and tests can.
 * Spec: istio.io, Controlling the injection policy.
 */
import type { Pod } from "@argyle/kube-types";

export interface InjectionQuestion {
  readonly pod: Pod;
  readonly namespace: string;
  /** Undefined when they are not known: the webhook's namespaceSelector has looked at them. */
  readonly namespaceLabels?: Readonly<Record<string, string>> | undefined;
  readonly revision: string;
}

export type InjectionDecision =
  | { readonly inject: true; readonly template: "sidecar" | "gateway" }
  | { readonly inject: false; readonly reason: string };

const INJECT = "sidecar.istio.io/inject";
const TEMPLATES = "inject.istio.io/templates";
const SYSTEM_NAMESPACES: ReadonlySet<string> = new Set([
  "kube-system",
  "kube-public",
  "kube-node-lease",
  "local-path-storage",
]);

export function decideInjection(question: InjectionQuestion): InjectionDecision {
  const { pod, namespace, namespaceLabels, revision } = question;
  const no = (reason: string): InjectionDecision => ({ inject: false, reason });
  if (pod.spec.hostNetwork === true) return no("the pod uses the host's network");
  if (SYSTEM_NAMESPACES.has(namespace)) return no(`namespace ${namespace} is never injected`);
  const labels = pod.metadata.labels ?? {};
  const annotations = pod.metadata.annotations ?? {};
  if (annotations["sidecar.istio.io/status"] !== undefined) return no("the pod has been injected already");
  const template = annotations[TEMPLATES] === "gateway" ? "gateway" : "sidecar";
  const own = yesOrNo(labels[INJECT] ?? annotations[INJECT]);
  if (own === false) return no(`${INJECT} is false`);
  const wanted = labels["istio.io/rev"] ?? namespaceLabels?.["istio.io/rev"];
  if (namespaceLabels?.["istio-injection"] === "disabled" && own !== true)
    return no("the namespace has istio-injection=disabled");
  if (own === true) return { inject: true, template };
  if (namespaceLabels === undefined) return { inject: true, template };
  // istio-injection beats istio.io/rev on a namespace that has both.
  if (namespaceLabels["istio-injection"] === "enabled") return { inject: true, template };
  if (wanted !== undefined)
    return wanted === revision
      ? { inject: true, template }
      : no(`istio.io/rev=${wanted} belongs to another control plane`);
  return no("neither the namespace nor the pod asks for injection");
}

function yesOrNo(text: string | undefined): boolean | undefined {
  switch (text?.toLowerCase()) {
    case "y":
    case "yes":
    case "true":
    case "on":
      return true;
    case "n":
    case "no":
    case "false":
    case "off":
      return false;
    default:
      return undefined;
  }
}
