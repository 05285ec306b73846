/**
 * What the direct JSON ↔ bytes conversion (json-encoder.ts, json-decoder.ts) needs of each message, laid out flat: fields by name and by number. Made when a
 * type is first used. Types and fields that the direct way leaves to protobuf-es are marked UNSUPPORTED here, in one place.
 */
import { type DescEnum, type DescField, type DescMessage, type FileRegistry, ScalarType } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";

/** Scalars keep protobuf's own numbers. */
export const KIND = {
  double: ScalarType.DOUBLE,
  float: ScalarType.FLOAT,
  int64: ScalarType.INT64,
  uint64: ScalarType.UINT64,
  int32: ScalarType.INT32,
  bool: ScalarType.BOOL,
  string: ScalarType.STRING,
  bytes: ScalarType.BYTES,
  uint32: ScalarType.UINT32,
  enumeration: 100,
  message: 101,
  /** google.protobuf.BoolValue and the like: the JSON is the value alone. */
  wrapper: 102,
  any: 103,
  struct: 104,
  value: 105,
  list: 106,
  duration: 107,
  unsupported: 199,
} as const;

export const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Of a scalar or an enum. */
export function wireOf(kind: number): number {
  switch (kind) {
    case KIND.string:
    case KIND.bytes:
      return WIRE.bytes;
    case KIND.double:
      return WIRE.fixed64;
    case KIND.float:
      return WIRE.fixed32;
    default:
      return WIRE.varint;
  }
}

export interface FieldTable {
  readonly name: string;
  readonly number: number;
  readonly kind: number;
  readonly isList: boolean;
  readonly isPacked: boolean;
  /** Set: a map field; `kind` and `message` are its values'. */
  readonly mapKey: number | undefined;
  /** Its default is not written, and not shown. */
  readonly isImplicit: boolean;
  readonly oneof: string | undefined;
  readonly enumeration: EnumTable | undefined;
  /** Undefined unless `kind` is message or wrapper. */
  readonly message: (() => MessageTable) | undefined;
}

export interface EnumTable {
  readonly byName: ReadonlyMap<string, number>;
  readonly byNumber: ReadonlyMap<number, string>;
}

export interface MessageTable {
  readonly typeName: string;
  readonly byNumber: ReadonlyMap<number, FieldTable>;
  /** Both spellings: snake_case and lowerCamelCase. */
  readonly byName: ReadonlyMap<string, FieldTable>;
  readonly isSupported: boolean;
}

export interface MessageTables {
  /** Undefined: no such message in the descriptors. */
  of(typeName: string): MessageTable | undefined;
}

export function createMessageTables(files: () => FileRegistry): MessageTables {
  const made = new Map<string, MessageTable>();
  const tableOf = (desc: DescMessage): MessageTable => {
    let table = made.get(desc.typeName);
    if (table === undefined) {
      const fields = desc.fields.map((field) => fieldTable(field, tableOf));
      table = {
        typeName: desc.typeName,
        byNumber: new Map(fields.map((field) => [field.number, field])),
        byName: new Map(desc.fields.flatMap(({ name, jsonName }, i) => namesOf(name, jsonName, fields[i]))),
        isSupported: kindOfMessage(desc) === KIND.message,
      };
      made.set(desc.typeName, table);
    }
    return table;
  };
  return {
    of(typeName) {
      const known = made.get(typeName);
      if (known !== undefined) return known;
      const desc = files().getMessage(typeName);
      return desc === undefined ? undefined : tableOf(desc);
    },
  };
}

function namesOf(name: string, jsonName: string, field: FieldTable | undefined): (readonly [string, FieldTable])[] {
  if (field === undefined) return [];
  return name === jsonName
    ? [[name, field]]
    : [
        [name, field],
        [jsonName, field],
      ];
}

function fieldTable(field: DescField, tableOf: (desc: DescMessage) => MessageTable): FieldTable {
  const { name, number, message } = field;
  const kind = kindOf(field);
  return {
    name,
    number,
    kind: field.proto.type === 10 ? KIND.unsupported : kind,
    isList: field.fieldKind === "list",
    isPacked: field.fieldKind === "list" && field.packed,
    mapKey: field.fieldKind === "map" ? field.mapKey : undefined,
    isImplicit: field.presence === FeatureSet_FieldPresence.IMPLICIT,
    oneof: field.oneof?.name,
    enumeration: field.enum === undefined ? undefined : enumTable(field.enum),
    message: message === undefined ? undefined : () => tableOf(message),
  };
}

function enumTable({ values }: DescEnum): EnumTable {
  return {
    byName: new Map(values.map(({ name, number }) => [name, number])),
    // Of aliases the first one is shown.
    byNumber: new Map(values.toReversed().map(({ name, number }) => [number, name])),
  };
}

function kindOf(field: DescField): number {
  if (field.message !== undefined) return kindOfMessage(field.message);
  if (field.enum !== undefined)
    return field.enum.typeName === "google.protobuf.NullValue" || !field.enum.open
      ? KIND.unsupported
      : KIND.enumeration;
  const scalar = field.scalar;
  return scalar !== undefined && SCALARS.has(scalar) ? scalar : KIND.unsupported;
}

const SCALARS: ReadonlySet<number> = new Set([
  KIND.double,
  KIND.float,
  KIND.int64,
  KIND.uint64,
  KIND.int32,
  KIND.bool,
  KIND.string,
  KIND.bytes,
  KIND.uint32,
]);

const WELL_KNOWN: Readonly<Record<string, number>> = {
  "google.protobuf.Any": KIND.any,
  "google.protobuf.Struct": KIND.struct,
  "google.protobuf.Value": KIND.value,
  "google.protobuf.ListValue": KIND.list,
  "google.protobuf.Duration": KIND.duration,
  "google.protobuf.Timestamp": KIND.unsupported,
  "google.protobuf.FieldMask": KIND.unsupported,
};

function kindOfMessage({ typeName }: DescMessage): number {
  if (/^google\.protobuf\.(Double|Float|U?Int(32|64)|Bool|String|Bytes)Value$/.test(typeName)) return KIND.wrapper;
  return WELL_KNOWN[typeName] ?? KIND.message;
}
