/**
 * Request bodies: read with Kubernetes' limit, decoded by Content-Type (JSON, YAML, protobuf).
 * kubectl 1.32+ and helm send protobuf from typed clients and do not fall back to JSON.
 */
import { describeError, formatProblems } from "@argyle/core";
import { decodeProtobuf } from "@argyle/kube-types";
import { parse as parseYaml } from "yaml";
import { isJsonObject, type JsonObject } from "./json.ts";
import { badRequest, failure, unsupportedMediaType } from "./status.ts";

/** As kube-apiserver's MaxRequestBodyBytes. */
const MAX_BODY_BYTES = 3 * 1024 * 1024;
const ACCEPTED = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];

export async function readBody(request: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes: Buffer = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    size += bytes.length;
    if (size > MAX_BODY_BYTES) {
      throw failure(413, "RequestEntityTooLarge", `Request entity too large: limit is ${MAX_BODY_BYTES}`);
    }
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

/** The media type without parameters, in lower case. */
export function mediaType(header: string | undefined): string {
  return (header ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

/** An object of the body. An empty body is undefined (DELETE). */
export function decodeBody(bytes: Buffer, contentType: string | undefined): JsonObject | undefined {
  if (bytes.length === 0) return undefined;
  const type = mediaType(contentType);
  switch (type) {
    case "":
    case "application/json":
    case "application/x-www-form-urlencoded": // curl -d without -H
      return requireObject(parseJson(bytes));
    case "application/yaml":
      return decodeYaml(bytes);
    case "application/vnd.kubernetes.protobuf": {
      const decoded = decodeProtobuf(bytes);
      if (!decoded.ok) throw badRequest(`the protobuf body cannot be decoded: ${formatProblems(decoded.error)}`);
      return requireObject(decoded.value);
    }
    default:
      throw unsupportedMediaType(type, ACCEPTED);
  }
}

export function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    throw badRequest(`the object provided is unrecognized (must be of type JSON): ${describeError(error)}`);
  }
}

/** YAML, which JSON is too: bodies of server-side apply. */
export function decodeYaml(bytes: Buffer): JsonObject {
  try {
    return requireObject(parseYaml(bytes.toString("utf8")));
  } catch (error) {
    throw badRequest(`error decoding YAML: ${describeError(error)}`);
  }
}

function requireObject(value: unknown): JsonObject {
  if (!isJsonObject(value)) throw badRequest("the body must be an object");
  return value;
}
