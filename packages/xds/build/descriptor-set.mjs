// Turns protobufjs's reflection of .proto files into google.protobuf.FileDescriptorProtos with fully qualified names.
// protobufjs's own toDescriptor groups by package and cannot be used. Options are dropped (validate rules, annotations): nobody reads
// them, and with them go their imports. A file's dependencies are the files of the types it refers to, not its import lines.
import { existsSync } from "node:fs";
import { isAbsolute } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import * as wkt from "@bufbuild/protobuf/wkt";
import protobuf from "protobufjs";

const SCALARS = {
  double: 1,
  float: 2,
  int64: 3,
  uint64: 4,
  int32: 5,
  fixed64: 6,
  fixed32: 7,
  bool: 8,
  string: 9,
  bytes: 12,
  uint32: 13,
  sfixed32: 15,
  sfixed64: 16,
  sint32: 17,
  sint64: 18,
};
const TYPE_MESSAGE = 11;
const TYPE_ENUM = 14;
const LABEL_OPTIONAL = 1;
const LABEL_REPEATED = 3;

const WELL_KNOWN = new Map(
  Object.values(wkt)
    .filter((value) => value?.kind === "file")
    .map((file) => [`${file.name}.proto`, file.proto]),
);

/**
 * Bytes of a FileDescriptorSet with the roots and everything they refer to, dependencies first. `additions` are fields that the
 * shipped files are too old for: message name → [name, number, type].
 */
export function buildDescriptorSet(roots, includeDirs, additions = {}) {
  const root = new protobuf.Root();
  const find = (name) => includeDirs.map((dir) => `${dir}/${name}`).find(existsSync) ?? null;
  // A missing import is skipped: it matters only if something that we need refers to it, and then resolution fails.
  root.resolvePath = (_origin, target) => (isAbsolute(target) ? target : find(target));
  const wellKnownFile = wellKnownTypes();
  const load = (path) => {
    const file = find(path);
    if (file === null) throw new Error(`no such proto: ${path}`);
    root.loadSync(file, { keepCase: true, alternateCommentMode: false });
  };
  root.loadSync(readDescriptorProto(), { keepCase: true });
  for (const path of roots) load(path);

  for (const [message, fields] of Object.entries(additions)) {
    for (const [name, number, type] of fields) root.lookupType(message).add(new protobuf.Field(name, number, type));
  }
  const declared = new Map();
  collect(root, declared);
  const nameOf = (file) => includeDirs.reduce((name, dir) => name.replace(`${dir}/`, ""), file);
  const wanted = new Map();
  const order = [];
  const visit = (name) => {
    if (wanted.has(name)) return;
    wanted.set(name, undefined);
    if (WELL_KNOWN.has(name)) {
      for (const dependency of WELL_KNOWN.get(name).dependency) visit(dependency);
      order.push(WELL_KNOWN.get(name));
      return;
    }
    const objects = declared.get(name);
    if (objects === undefined) throw new Error(`nothing was read from ${name}`);
    const dependencies = new Set();
    const proto = describeFile(name, objects, (type) => {
      const target = wellKnownFile.get(type.fullName.slice(1)) ?? nameOf(type.filename);
      if (target !== name) dependencies.add(target);
    });
    for (const dependency of [...dependencies].sort()) visit(dependency);
    order.push(create(wkt.FileDescriptorProtoSchema, { ...proto, dependency: [...dependencies].sort() }));
  };
  for (const [file, objects] of [...declared]) {
    declared.delete(file);
    declared.set(nameOf(file), objects);
  }
  for (const path of roots) visit(path);
  return toBinary(wkt.FileDescriptorSetSchema, create(wkt.FileDescriptorSetSchema, { file: order }));
}

function readDescriptorProto() {
  return new URL(import.meta.resolve("protobufjs/google/protobuf/descriptor.proto")).pathname;
}

function wellKnownTypes() {
  const files = new Map();
  for (const [name, proto] of WELL_KNOWN) {
    for (const declared of [...proto.messageType, ...proto.enumType])
      files.set(`${proto.package}.${declared.name}`, name);
  }
  return files;
}

/** Top-level messages, enums and services by the file they stand in. */
function collect(namespace, byFile) {
  for (const object of namespace.nestedArray) {
    if (object instanceof protobuf.Type || object instanceof protobuf.Enum || object instanceof protobuf.Service) {
      // What protobufjs brings itself (google/protobuf/*) has no file; those come from protobuf-es.
      if (object.filename === null) continue;
      const list = byFile.get(object.filename) ?? [];
      list.push(object);
      byFile.set(object.filename, list);
    } else if (object instanceof protobuf.Namespace) collect(object, byFile);
  }
}

function describeFile(name, objects, refer) {
  return {
    name,
    package: objects[0].parent.fullName.slice(1),
    syntax: "proto3",
    messageType: objects.filter((o) => o instanceof protobuf.Type).map((type) => describeMessage(type, refer)),
    enumType: objects.filter((o) => o instanceof protobuf.Enum).map(describeEnum),
    service: objects.filter((o) => o instanceof protobuf.Service).map((o) => describeService(o, refer)),
  };
}

function describeMessage(type, refer) {
  const entries = [];
  const isSynthetic = (oneof) => oneof.oneof.length === 1 && oneof.fieldsArray[0]?.options?.proto3_optional === true;
  const oneofs = [...type.oneofsArray].sort((a, b) => Number(isSynthetic(a)) - Number(isSynthetic(b)));
  const field = type.fieldsArray.map((f) => {
    f.resolve();
    const described = f.map ? describeMap(f, entries, refer) : describeField(f, refer);
    if (f.partOf) {
      described.oneofIndex = oneofs.indexOf(f.partOf);
      if (isSynthetic(f.partOf)) described.proto3Optional = true;
    }
    return described;
  });
  const nested = type.nestedArray;
  return {
    name: type.name,
    field,
    oneofDecl: oneofs.map(({ name }) => ({ name })),
    nestedType: [...nested.filter((o) => o instanceof protobuf.Type).map((o) => describeMessage(o, refer)), ...entries],
    enumType: nested.filter((o) => o instanceof protobuf.Enum).map(describeEnum),
  };
}

function describeField(field, refer) {
  return {
    name: field.name,
    number: field.id,
    label: field.repeated ? LABEL_REPEATED : LABEL_OPTIONAL,
    jsonName: jsonName(field.name),
    ...typeOf(field, refer),
  };
}

function describeMap(field, entries, refer) {
  const name = `${field.name.replace(/(^|_)([a-z0-9])/g, (_m, _u, letter) => letter.toUpperCase())}Entry`;
  entries.push({
    name,
    field: [
      { name: "key", number: 1, label: LABEL_OPTIONAL, jsonName: "key", type: SCALARS[field.keyType] },
      { name: "value", number: 2, label: LABEL_OPTIONAL, jsonName: "value", ...typeOf(field, refer) },
    ],
    options: { mapEntry: true },
  });
  return {
    name: field.name,
    number: field.id,
    label: LABEL_REPEATED,
    jsonName: jsonName(field.name),
    type: TYPE_MESSAGE,
    typeName: `${field.parent.fullName}.${name}`,
  };
}

function typeOf(field, refer) {
  const scalar = SCALARS[field.type];
  if (scalar !== undefined) return { type: scalar };
  const type = field.resolvedType;
  refer(topLevel(type));
  return { type: type instanceof protobuf.Enum ? TYPE_ENUM : TYPE_MESSAGE, typeName: type.fullName };
}

function topLevel(type) {
  return type.parent instanceof protobuf.Type ? topLevel(type.parent) : type;
}

function describeEnum(type) {
  const numbers = Object.values(type.values);
  return {
    name: type.name,
    value: Object.entries(type.values).map(([name, number]) => ({ name, number })),
    ...(new Set(numbers).size < numbers.length ? { options: { allowAlias: true } } : {}),
  };
}

function describeService(service, refer) {
  return {
    name: service.name,
    method: service.methodsArray.map((method) => {
      method.resolve();
      refer(topLevel(method.resolvedRequestType));
      refer(topLevel(method.resolvedResponseType));
      return {
        name: method.name,
        inputType: method.resolvedRequestType.fullName,
        outputType: method.resolvedResponseType.fullName,
        clientStreaming: method.requestStream === true,
        serverStreaming: method.responseStream === true,
      };
    }),
  };
}

/** protoc's rule: drop underscores, upper-case what followed one. */
function jsonName(name) {
  return name.replace(/_([a-zA-Z0-9])?/g, (_match, letter) => letter?.toUpperCase() ?? "");
}
