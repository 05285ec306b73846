/**
 * The validation cases were taken from Go literals, and some of Go's forms stayed in them: constants, the wrapper that Go has around the
 * members of a oneof, and google.protobuf.Struct member by member. This gives the object that a manifest would hold.
 */
type Decoded = { readonly value: unknown } | { readonly missing: string };

const CONSTANTS: Readonly<Record<string, string>> = { "constants.DefaultAuthenticationPolicyName": "default" };
/** Go's names of oneofs: what is inside belongs one level up. */
const ONEOFS: ReadonlySet<string> = new Set(["healthCheckMethod"]);
/** A message that Go names by its type. */
const RENAMED: Readonly<Record<string, string>> = { envoyConfigObjectMatch: "match" };
const STRUCT_KINDS = ["stringValue", "numberValue", "boolValue", "nullValue"] as const;

export function decodeGoLiteral(value: unknown): Decoded {
  const missing: string[] = [];
  const decoded = decode(value, missing);
  const [first] = missing;
  return first === undefined ? { value: decoded } : { missing: `the Go constant ${first}, which is not in the data` };
}

function decode(value: unknown, missing: string[]): unknown {
  if (Array.isArray(value)) return value.map((item) => decode(item, missing));
  if (!isObject(value)) return value;
  if (typeof value.$ref === "string") {
    const known = CONSTANTS[value.$ref];
    if (known === undefined) missing.push(value.$ref);
    return known;
  }
  if (isStruct(value)) return decodeStruct(value);
  const out: Record<string, unknown> = {};
  for (const [key, held] of Object.entries(value)) {
    const inner = decode(held, missing);
    if (ONEOFS.has(key) && isObject(inner)) Object.assign(out, inner);
    else out[RENAMED[key] ?? key] = inner;
  }
  return out;
}

/** `{fields: {name: {kind: {stringValue: "x"}}}}` */
function isStruct(value: Readonly<Record<string, unknown>>): boolean {
  const { fields } = value;
  return (
    Object.keys(value).length === 1 &&
    isObject(fields) &&
    Object.values(fields).every((field) => isObject(field) && isObject(field.kind))
  );
}

function decodeStruct(struct: Readonly<Record<string, unknown>>): unknown {
  const fields = isObject(struct.fields) ? struct.fields : {};
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, decodeStructValue(field)]));
}

function decodeStructValue(field: unknown): unknown {
  const kind = isObject(field) && isObject(field.kind) ? field.kind : {};
  if (isObject(kind.structValue)) return decodeStruct(kind.structValue);
  if (isObject(kind.listValue) && Array.isArray(kind.listValue.values))
    return kind.listValue.values.map(decodeStructValue);
  for (const name of STRUCT_KINDS) if (name in kind) return name === "nullValue" ? null : kind[name];
  return null;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
