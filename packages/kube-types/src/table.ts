/**
 * The server-side tables that kubectl get prints: kubectl itself has no columns. Names and cells are Kubernetes' own; priority 1 is `-o wide`.
 * NAMESPACE and label columns are added by the client from each row's metadata.
 * Source: Kubernetes API concepts, "Receiving resources as Tables".
 */
import type { KubeObject } from "./object.ts";
import { apiVersionOf, type Resource } from "./registry.ts";
import { columnsOf } from "./tables/all.ts";

export interface TableColumn {
  readonly name: string;
  readonly type: "string" | "integer" | "date";
  readonly format: string;
  readonly description: string;
  /** 0 always, 1 with `-o wide`. */
  readonly priority: number;
}

export type TableCell = string | number | null;

export interface TableRow {
  readonly cells: readonly TableCell[];
  readonly object?: unknown;
}

export interface Table {
  readonly kind: "Table";
  readonly apiVersion: "meta.k8s.io/v1";
  readonly metadata: { readonly resourceVersion?: string };
  readonly columnDefinitions: readonly TableColumn[];
  readonly rows: readonly TableRow[];
}

export interface TableOptions {
  readonly nowMs: number;
  /** Default: Metadata. */
  readonly includeObject?: "None" | "Metadata" | "Object";
  /** Of the list, so that a client can watch from it. */
  readonly resourceVersion?: string;
}

export function toTable(resource: Resource, objects: readonly KubeObject[], options: TableOptions): Table {
  const columns = columnsOf(resource);
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: options.resourceVersion === undefined ? {} : { resourceVersion: options.resourceVersion },
    columnDefinitions: columns.map(({ name, type = "string", priority = 0 }, index) => ({
      name,
      type,
      format: index === 0 && name === "Name" ? "name" : "",
      description: "",
      priority,
    })),
    rows: objects.map((object) => {
      const cells = columns.map((column) => column.cell(object, options.nowMs));
      const shown = rowObject(resource, object, options.includeObject ?? "Metadata");
      return shown === undefined ? { cells } : { cells, object: shown };
    }),
  };
}

function rowObject(resource: Resource, object: KubeObject, include: "None" | "Metadata" | "Object"): unknown {
  switch (include) {
    case "None":
      return undefined;
    case "Metadata":
      return { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: object.metadata };
    case "Object":
      return { ...object, kind: resource.kind, apiVersion: object.apiVersion ?? apiVersionOf(resource) };
  }
}
