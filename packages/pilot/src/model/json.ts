/**
 * JSON as the working form of Envoy resources and of decoded manifests.
 * Objects that translation builds may hold undefined for an absent field; `internJson` (config-source) drops those.
 */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly JsonValue[]
  | { readonly [field: string]: JsonValue };

/** An Envoy message in proto3 JSON with original (snake_case) field names. */
export interface EnvoyMessage {
  readonly [field: string]: JsonValue;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Fields that are maps: their keys are the user's words (labels, header names), never field names. */
const MAP_FIELDS: ReadonlySet<string> = new Set([
  "labels",
  "matchLabels",
  "headers",
  "withoutHeaders",
  "queryParams",
  "sourceLabels",
  "set",
  "add",
  "annotations",
  "ports",
  "portLevelMtls",
]);

/**
 * Field names in lowerCamelCase. proto3 JSON accepts the original name as well (`mirror_percent`), and manifests use both.
 * Spec: protobuf.dev, ProtoJSON format.
 */
export function camelCaseFields(value: unknown, isMap = false): unknown {
  if (Array.isArray(value)) return value.map((item) => camelCaseFields(item));
  if (!isRecord(value)) return value;
  const out: Record<string, unknown> = {};
  for (const [key, child] of Object.entries(value)) {
    const name = isMap ? key : key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    out[name] = camelCaseFields(child, !isMap && MAP_FIELDS.has(name));
  }
  return out;
}
