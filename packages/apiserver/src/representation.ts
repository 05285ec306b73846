/**
 * How an object goes out: under the version of the URL, whole, as a Table, or as metadata only, as the Accept header asks.
 */
import { apiVersionOf, type KubeObject, type Resource, toTable } from "@argyle/kube-types";
import { failure } from "./status.ts";
import { textOfStored } from "./stored-text.ts";

export type Form =
  | { readonly kind: "plain" }
  | { readonly kind: "yaml" }
  | { readonly kind: "table"; readonly version: string; readonly includeObject: "Metadata" | "Object" | "None" }
  | { readonly kind: "partial"; readonly version: string };

/** The first entry of Accept that we can answer. Weights are ignored, as by kube-apiserver's clients. */
export function chooseForm(accept: string | undefined, includeObject: string | null): Form {
  if (accept === undefined || accept.trim() === "") return { kind: "plain" };
  for (const entry of accept.split(",")) {
    const [type, ...parameters] = entry.split(";").map((part) => part.trim());
    const parameter = (name: string) => parameters.find((p) => p.startsWith(`${name}=`))?.slice(name.length + 1);
    const as = parameter("as");
    if (type === "application/yaml" && as === undefined) return { kind: "yaml" };
    if (type !== "application/json" && type !== "application/*" && type !== "*/*") continue;
    if (as === undefined) return { kind: "plain" };
    const version = parameter("v") ?? "v1";
    if (parameter("g") !== "meta.k8s.io" || (version !== "v1" && version !== "v1beta1")) continue;
    if (as === "Table") {
      const include = includeObject === "Object" || includeObject === "None" ? includeObject : "Metadata";
      return { kind: "table", version, includeObject: include };
    }
    if (as === "PartialObjectMetadata" || as === "PartialObjectMetadataList") return { kind: "partial", version };
  }
  throw failure(
    406,
    "NotAcceptable",
    "only the following media types are accepted: application/json, application/yaml, application/json;as=Table;g=meta.k8s.io;v=v1",
  );
}

/** The stored object as a version of its kind: versions of one kind differ in nothing but the apiVersion. */
export function inVersion(object: KubeObject, resource: Resource, version: string): KubeObject {
  const apiVersion = apiVersionOf(resource, version);
  return object.apiVersion === apiVersion ? object : { ...object, apiVersion };
}

/** JSON of a stored object under a version. Never call it with an object that may still change. */
export function encodeStored(object: KubeObject, resource: Resource, version: string): string {
  return textOfStored(inVersion(object, resource, version));
}

export function toPartial(object: KubeObject, version: string): unknown {
  return { kind: "PartialObjectMetadata", apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata };
}

export interface TableRequest {
  readonly resource: Resource;
  readonly version: string;
  readonly form: Extract<Form, { kind: "table" }>;
  readonly nowMs: number;
  /** Of the list; a single object's Table carries the object's own. */
  readonly resourceVersion: string;
}

export function buildTable(objects: readonly KubeObject[], request: TableRequest): object {
  const { resource, form } = request;
  const versioned = objects.map((object) => inVersion(object, resource, request.version));
  const table = toTable(resource, versioned, { nowMs: request.nowMs, includeObject: form.includeObject });
  return {
    ...table,
    kind: "Table",
    apiVersion: `meta.k8s.io/${form.version}`,
    metadata: { resourceVersion: request.resourceVersion },
  };
}
