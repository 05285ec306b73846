/** Webhook configurations. Source: Kubernetes API reference, admissionregistration.k8s.io/v1. */
import { type FieldProblem, invalid, notSupported, required } from "../field-problem.ts";
import { isAbsent, isTree, listAt, numberAt, type Tree, textAt, treeAt } from "../tree.ts";
import { duplicates, validateLabelSelector } from "./metadata.ts";
import { dnsSubdomain } from "./names.ts";

export function validateWebhookConfiguration(configuration: Tree): FieldProblem[] {
  const webhooks = listAt(configuration, "webhooks");
  return [
    ...duplicates(webhooks, "name", "webhooks"),
    ...webhooks.flatMap((webhook, index) => validateWebhook(treeAt(webhook), `webhooks[${index}]`)),
  ];
}

function validateWebhook(webhook: Tree, path: string): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const name = textAt(webhook, "name") ?? "";
  if (name === "") problems.push(required(`${path}.name`));
  else {
    problems.push(...dnsSubdomain(name).map((text) => invalid(`${path}.name`, name, text)));
    if (name.split(".").length < 3) {
      problems.push(invalid(`${path}.name`, name, "should be a domain with at least three segments separated by dots"));
    }
  }
  const versions = listAt(webhook, "admissionReviewVersions");
  if (versions.length === 0) {
    problems.push(required(`${path}.admissionReviewVersions`, "must specify one of v1, v1beta1"));
  } else if (!versions.some((version) => version === "v1" || version === "v1beta1")) {
    const text = "must include at least one of v1, v1beta1";
    problems.push(invalid(`${path}.admissionReviewVersions`, versions, text));
  }
  const { sideEffects } = webhook;
  if (isAbsent(sideEffects)) problems.push(required(`${path}.sideEffects`, "must specify one of None, NoneOnDryRun"));
  else if (sideEffects !== "None" && sideEffects !== "NoneOnDryRun") {
    problems.push(notSupported(`${path}.sideEffects`, sideEffects, ["None", "NoneOnDryRun"]));
  }
  for (const [field, supported] of [
    ["failurePolicy", ["Fail", "Ignore"]],
    ["matchPolicy", ["Equivalent", "Exact"]],
    ["reinvocationPolicy", ["IfNeeded", "Never"]],
  ] as const) {
    const value = webhook[field];
    if (!isAbsent(value) && !supported.some((s) => s === value)) {
      problems.push(notSupported(`${path}.${field}`, value, supported));
    }
  }
  const timeout = numberAt(webhook, "timeoutSeconds");
  if (timeout !== undefined && (timeout < 1 || timeout > 30)) {
    problems.push(invalid(`${path}.timeoutSeconds`, timeout, "the timeout value must be between 1 and 30 seconds"));
  }
  for (const selector of ["namespaceSelector", "objectSelector"]) {
    if (isTree(webhook[selector])) problems.push(...validateLabelSelector(webhook[selector], `${path}.${selector}`));
  }
  const { url, service } = treeAt(webhook.clientConfig);
  if (isAbsent(url) === isAbsent(service)) {
    problems.push(required(`${path}.clientConfig`, "exactly one of url or service is required"));
  }
  if (typeof url === "string" && !url.startsWith("https://")) {
    const text = `'https' is the only allowed URL scheme; desired format: https://host[/path]`;
    problems.push(invalid(`${path}.clientConfig.url`, url, text));
  }
  if (isTree(service)) {
    for (const field of ["name", "namespace"]) {
      if ((textAt(service, field) ?? "") === "") {
        problems.push(required(`${path}.clientConfig.service.${field}`, `service ${field} is required`));
      }
    }
  }
  for (const [index, rule] of listAt(webhook, "rules").entries()) {
    for (const field of ["operations", "apiGroups", "apiVersions", "resources"]) {
      if (listAt(rule, field).length === 0) problems.push(required(`${path}.rules[${index}].${field}`));
    }
  }
  return problems;
}
