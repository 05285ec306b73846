/**
 * Anys of types that are not in our descriptors, kept instead of refused: `{"@type": T, "value": base64 of the bytes}`.
 * protobuf-es can't put them into JSON, so for the passage they stand as argyle.xds.v1.ForeignAny, which it knows. Only the slow path
 * comes here: after the plain conversion failed.
 */
import {
  create,
  type DescMessage,
  type FileRegistry,
  fromBinary,
  type JsonValue,
  type Message,
  toBinary,
} from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { type Any, AnySchema } from "@bufbuild/protobuf/wkt";
import { TYPE_URL_PREFIX, typeNameOf } from "./type-urls.ts";

const FOREIGN = "argyle.xds.v1.ForeignAny";
const FOREIGN_URL = `${TYPE_URL_PREFIX}${FOREIGN}`;

interface ForeignFields {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

/** Before toJson: every foreign Any in the message becomes a packed ForeignAny. */
export function packForeign(files: FileRegistry, desc: DescMessage, message: Message): void {
  const schema = foreignSchema(files);
  visitAnys(files, reflect(desc, message), (any) => {
    if (any.typeUrl === "" || files.getMessage(typeNameOf(any.typeUrl)) !== undefined) return false;
    any.value = toBinary(schema, create(schema, { typeUrl: any.typeUrl, value: any.value }));
    any.typeUrl = FOREIGN_URL;
    return true;
  });
}

/** After fromJson: every packed ForeignAny becomes the foreign Any it stands for. */
export function unpackForeign(files: FileRegistry, desc: DescMessage, message: Message): void {
  const schema = foreignSchema(files);
  visitAnys(files, reflect(desc, message), (any) => {
    if (any.typeUrl !== FOREIGN_URL) return false;
    const held = fromBinary(schema, any.value) as unknown as ForeignFields;
    any.typeUrl = held.typeUrl;
    any.value = held.value;
    return true;
  });
}

/** `{"@type": unknown, "value": b64}` → `{"@type": ForeignAny, …}`, anywhere in the JSON. */
export function wrapForeignJson(files: FileRegistry, json: JsonValue): JsonValue {
  return mapObjects(json, (object) => {
    const type = object["@type"];
    if (typeof type !== "string" || files.getMessage(typeNameOf(type)) !== undefined) return object;
    return { "@type": FOREIGN_URL, type_url: type, value: object.value ?? "" };
  });
}

export function restoreForeignJson(json: JsonValue): JsonValue {
  return mapObjects(json, (object) => {
    if (object["@type"] !== FOREIGN_URL) return object;
    return { "@type": object.type_url ?? "", value: object.value ?? "" };
  });
}

function foreignSchema(files: FileRegistry): DescMessage {
  const schema = files.getMessage(FOREIGN);
  if (schema === undefined) throw new Error(`the descriptor set lacks ${FOREIGN}`);
  return schema;
}

function mapObjects(
  json: JsonValue,
  change: (object: { [key: string]: JsonValue }) => { [key: string]: JsonValue },
): JsonValue {
  if (Array.isArray(json)) return json.map((item) => mapObjects(item, change));
  if (typeof json !== "object" || json === null) return json;
  const mapped = Object.entries(json).map(([key, value]) => [key, mapObjects(value, change)] as const);
  return change(Object.fromEntries(mapped));
}

/** Calls `change` for every Any, also for those packed inside known Anys; says whether one was changed. */
function visitAnys(files: FileRegistry, message: ReflectMessage, change: (any: Any) => boolean): boolean {
  if (message.desc.typeName === AnySchema.typeName) {
    const any = message.message as Any;
    if (change(any)) return true;
    const desc = files.getMessage(typeNameOf(any.typeUrl));
    if (desc === undefined) return false;
    const inner = fromBinary(desc, any.value);
    if (!visitAnys(files, reflect(desc, inner), change)) return false;
    any.value = toBinary(desc, inner);
    return true;
  }
  let changed = false;
  const visit = (child: ReflectMessage) => {
    if (visitAnys(files, child, change)) changed = true;
  };
  for (const field of message.desc.fields) {
    if (!message.isSet(field)) continue;
    if (field.fieldKind === "message") visit(message.get(field));
    else if (field.fieldKind === "list" && field.listKind === "message") {
      for (const item of message.get(field)) visit(item as ReflectMessage);
    } else if (field.fieldKind === "map" && field.mapKind === "message") {
      for (const value of message.get(field).values()) visit(value as ReflectMessage);
    }
  }
  return changed;
}
