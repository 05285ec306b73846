/** Defaults of webhook configurations. Source: Kubernetes API reference, admissionregistration.k8s.io/v1. */
import { mapEntries, mapMember, type Tree, withDefaults } from "../tree.ts";

export function mutatingWebhookDefaults(configuration: Tree): Tree {
  return mapEntries(validatingWebhookDefaults(configuration), "webhooks", (webhook) =>
    withDefaults(webhook, { reinvocationPolicy: "Never" }),
  );
}

export function validatingWebhookDefaults(configuration: Tree): Tree {
  return mapEntries(configuration, "webhooks", (webhook) => {
    const result = withDefaults(webhook, {
      failurePolicy: "Fail",
      matchPolicy: "Equivalent",
      namespaceSelector: {},
      objectSelector: {},
      timeoutSeconds: 10,
    });
    const withPort = mapMember(result, "clientConfig", (client) =>
      mapMember(client, "service", (service) => withDefaults(service, { port: 443 })),
    );
    return mapEntries(withPort, "rules", (rule) => withDefaults(rule, { scope: "*" }));
  });
}
