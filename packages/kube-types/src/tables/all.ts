/** Which columns each resource has. */
import type { ConfigMap } from "../config-map.ts";
import type { Lease } from "../lease.ts";
import type { Resource } from "../registry.ts";
import type { Secret } from "../secret.ts";
import type { ServiceAccount } from "../service-account.ts";
import type { ValidatingWebhookConfiguration } from "../webhook-configuration.ts";
import { ageColumn, type Column, cellOf, nameColumn } from "./column.ts";
import { eventColumns } from "./event.ts";
import { istioColumns } from "./istio.ts";
import { namespaceColumns, nodeColumns } from "./node.ts";
import { podColumns } from "./pod.ts";
import { endpointSliceColumns, endpointsColumns, serviceColumns } from "./service.ts";
import { deploymentColumns, replicaSetColumns } from "./workload.ts";

const webhookColumns: readonly Column[] = [
  nameColumn,
  cellOf<ValidatingWebhookConfiguration>("Webhooks", (c) => c.webhooks?.length ?? 0, { type: "integer" }),
  ageColumn,
];

const BUILT_IN: Readonly<Record<string, readonly Column[]>> = {
  Namespace: namespaceColumns,
  Node: nodeColumns,
  Pod: podColumns,
  Service: serviceColumns,
  Endpoints: endpointsColumns,
  ConfigMap: [
    nameColumn,
    cellOf<ConfigMap>("Data", (c) => entries(c.data) + entries(c.binaryData), { type: "integer" }),
    ageColumn,
  ],
  Secret: [
    nameColumn,
    cellOf<Secret>("Type", (s) => s.type ?? "Opaque"),
    cellOf<Secret>("Data", (s) => entries(s.data), { type: "integer" }),
    ageColumn,
  ],
  ServiceAccount: [
    nameColumn,
    cellOf<ServiceAccount>("Secrets", (s) => s.secrets?.length ?? 0, { type: "integer" }),
    ageColumn,
  ],
  Event: eventColumns,
  Deployment: deploymentColumns,
  ReplicaSet: replicaSetColumns,
  EndpointSlice: endpointSliceColumns,
  MutatingWebhookConfiguration: webhookColumns,
  ValidatingWebhookConfiguration: webhookColumns,
  Lease: [nameColumn, cellOf<Lease>("Holder", (l) => l.spec?.holderIdentity ?? ""), ageColumn],
};

export function columnsOf(resource: Resource): readonly Column[] {
  if (resource.custom === true) return istioColumns(resource.kind);
  return BUILT_IN[resource.kind] ?? [nameColumn, ageColumn];
}

function entries(record: Readonly<Record<string, string>> | undefined): number {
  return Object.keys(record ?? {}).length;
}
