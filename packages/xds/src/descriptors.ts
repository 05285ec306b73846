/**
 * JSON ↔ bytes for every message in the descriptor set (dist/assets/xds.binpb), by reflection: no generated code.
 * JSON is proto3 JSON with proto field names (snake_case); lowerCamelCase names are accepted on the way in, defaults are absent on the
 * way out. An Any is `{"@type": …, fields}`; one whose type we do not have is `{"@type": …, "value": base64}`, both ways.
 * Problems carry the path of the field, all of them at once: they become NACK details and Kubernetes status causes.
 */
import { err, ok, type Problem, type Result } from "@argyle/core";
import {
  createFileRegistry,
  type DescMessage,
  type FileRegistry,
  fromBinary,
  fromJson,
  type JsonObject,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { packForeign, restoreForeignJson, unpackForeign, wrapForeignJson } from "./foreign-any.ts";
import { createJsonDecoder } from "./json-decoder.ts";
import { createJsonEncoder } from "./json-encoder.ts";
import { findProblems } from "./json-problems.ts";
import { createMessageTables } from "./message-tables.ts";
import { typeNameOf } from "./type-urls.ts";

export interface XdsRegistry {
  /** `type` is a type URL or a message name. */
  encode(type: string, json: object): Result<Uint8Array>;
  decode(type: string, bytes: Uint8Array): Result<object>;
  /** What encode would complain about. */
  validate(type: string, json: object): readonly Problem[];
  has(type: string): boolean;
  /** For code that builds messages itself (the gRPC rim). */
  readonly files: FileRegistry;
}

/** `bytes` is a serialised FileDescriptorSet, dependencies first. It is read when first needed: a restarted proxy serves before it needs it. */
export function createXdsRegistry(bytes: Uint8Array): XdsRegistry {
  let known: FileRegistry | undefined;
  const read = () => {
    known ??= createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes));
    return known;
  };
  const tables = createMessageTables(read);
  const encodeJson = createJsonEncoder(tables);
  const decodeJson = createJsonDecoder(tables);
  const find = (type: string): DescMessage | undefined => read().getMessage(typeNameOf(type));
  const unknown = (type: string) => err([{ path: "", message: `unknown message type ${typeNameOf(type)}` }]);

  return {
    get files() {
      return read();
    },
    has: (type) => find(type) !== undefined,
    encode(type, json) {
      const bytes = encodeJson(typeNameOf(type), json);
      if (bytes !== undefined) return ok(bytes);
      const files = read();
      const desc = find(type);
      if (desc === undefined) return unknown(type);
      const plain = plainJson(json);
      try {
        return ok(toBinary(desc, fromJson(desc, plain, { registry: files })));
      } catch (error) {
        return encodeSlowly(files, desc, plain, error);
      }
    },
    decode(type, value) {
      const json = decodeJson(typeNameOf(type), value);
      if (json !== undefined) return ok(json);
      const files = read();
      const desc = find(type);
      if (desc === undefined) return unknown(type);
      try {
        const message = fromBinary(desc, value);
        try {
          return ok(toJson(desc, message, { registry: files, useProtoFieldName: true }) as JsonObject);
        } catch {
          // The one cause we know how to go on from: an Any of a foreign type somewhere inside.
          packForeign(files, desc, message);
          return ok(
            restoreForeignJson(toJson(desc, message, { registry: files, useProtoFieldName: true })) as JsonObject,
          );
        }
      } catch (error) {
        return err([{ path: "", message: messageOf(error) }]);
      }
    },
    validate(type, json) {
      const result = this.encode(type, json);
      return result.ok ? [] : result.error;
    },
  };
}

function encodeSlowly(files: FileRegistry, desc: DescMessage, json: JsonObject, cause: unknown): Result<Uint8Array> {
  const problems = findProblems(files, desc, json);
  if (problems.length > 0) return err(problems);
  try {
    const message = fromJson(desc, wrapForeignJson(files, json), { registry: files });
    unpackForeign(files, desc, message);
    return ok(toBinary(desc, message));
  } catch {
    return err([{ path: "", message: messageOf(cause) }]);
  }
}

/** JSON as it would be written out; its own `@type` at the top of a resource is no field of the message. */
function plainJson(json: object): JsonObject {
  const { "@type": _type, ...rest } = JSON.parse(JSON.stringify(json)) as JsonObject;
  return rest;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
