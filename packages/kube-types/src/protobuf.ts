/**
 * Decoder of Kubernetes' protobuf request bodies, which kubectl ≥ 1.32 and helm send from typed clients: `k8s\0`, then runtime.Unknown
 * {1: {1: apiVersion, 2: kind}, 2: the object}. Answers stay JSON, so there is no encoder.
 * Go writes every member that is not a pointer, zero or not; JSON omits them. So "", false and 0 are dropped, except for members that are
 * pointers in Go, where zero means something. Empty messages stay: `emptyDir: {}` means something. Unknown field numbers are newer
 * than our table and are skipped, as protobuf prescribes.
 * Source: Kubernetes API concepts, "Kubernetes Protobuf encoding"; protobuf.dev, "Encoding".
 */
import { err, ok, type Result, rfc3339, rfc3339Seconds } from "@argyle/core";
import { WIRE_KINDS, WIRE_MESSAGES } from "./protobuf-table.ts";

export const PROTOBUF_MEDIA_TYPE = "application/vnd.kubernetes.protobuf";

/** What a body holds; not a KubeObject yet: DeleteOptions and reviews have no name. */
export interface DecodedObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly [member: string]: unknown;
}

const MAGIC = [0x6b, 0x38, 0x73, 0x00];

export function decodeProtobuf(bytes: Uint8Array): Result<DecodedObject> {
  if (!MAGIC.every((byte, index) => bytes[index] === byte)) return fault("the body does not start with k8s\\0");
  try {
    let typeMeta: Uint8Array = new Uint8Array();
    let raw: Uint8Array = new Uint8Array();
    for (const field of readFields(bytes.subarray(MAGIC.length))) {
      if (field.number === 1) typeMeta = field.bytes;
      if (field.number === 2) raw = field.bytes;
    }
    let apiVersion = "";
    let kind = "";
    for (const field of readFields(typeMeta)) {
      if (field.number === 1) apiVersion = text(field.bytes);
      if (field.number === 2) kind = text(field.bytes);
    }
    // Every group version registers DeleteOptions; it is the same message everywhere.
    const message = kind === "DeleteOptions" ? kind : WIRE_KINDS[`${apiVersion} ${kind}`];
    if (message === undefined) return fault(`no kind "${kind}" is registered for version "${apiVersion}"`);
    const object = decodeMessage(message, raw);
    return ok({ ...object, apiVersion, kind });
  } catch (thrown) {
    if (thrown instanceof Malformed) return fault(thrown.message);
    throw thrown;
  }
}

function fault(message: string): Result<DecodedObject> {
  return err([{ path: "", message: `unable to decode protobuf: ${message}` }]);
}

class Malformed extends Error {}

interface WireField {
  readonly number: number;
  /** Of wire types 0, 1 and 5. */
  readonly value: bigint;
  /** Of wire type 2. */
  readonly bytes: Uint8Array;
}

const EMPTY = new Uint8Array();

function* readFields(bytes: Uint8Array): Generator<WireField> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Malformed("a number is cut off");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new Malformed("a number is longer than ten bytes");
  };
  const take = (length: number): Uint8Array => {
    if (at + length > bytes.length) throw new Malformed("a field is cut off");
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const number = tag >>> 3;
    switch (tag & 7) {
      case 0:
        yield { number, value: varint(), bytes: EMPTY };
        break;
      case 1:
        yield { number, value: littleEndian(take(8)), bytes: EMPTY };
        break;
      case 2:
        yield { number, value: 0n, bytes: take(Number(varint())) };
        break;
      case 5:
        yield { number, value: littleEndian(take(4)), bytes: EMPTY };
        break;
      default:
        throw new Malformed(`wire type ${tag & 7} is not known`);
    }
  }
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

interface WireMember {
  readonly name: string;
  readonly mode: "one" | "list" | "map" | "inline";
  readonly type: string;
}

const layouts = new Map<string, ReadonlyMap<number, WireMember>>();

function layoutOf(message: string): ReadonlyMap<number, WireMember> {
  const known = layouts.get(message);
  if (known !== undefined) return known;
  const modes = { "*": "list", "%": "map", "!": "inline" } as const;
  const layout = new Map<number, WireMember>();
  for (const [, name = "", number = "", mark, type = ""] of (WIRE_MESSAGES[message] ?? "").matchAll(
    /(\w+)=(\d+)([*%!]?)(\w+)/g,
  )) {
    const mode = mark === "*" || mark === "%" || mark === "!" ? modes[mark] : "one";
    layout.set(Number(number), { name, mode, type });
  }
  layouts.set(message, layout);
  return layout;
}

function decodeMessage(message: string, bytes: Uint8Array): Record<string, unknown> {
  const layout = layoutOf(message);
  const object: Record<string, unknown> = {};
  for (const field of readFields(bytes)) {
    const member = layout.get(field.number);
    if (member === undefined) continue;
    const { name, type } = member;
    switch (member.mode) {
      case "inline":
        Object.assign(object, decodeMessage(type, field.bytes));
        break;
      case "list": {
        const list = object[name];
        const value = decodeValue(type, field) ?? "";
        if (Array.isArray(list)) list.push(value);
        else object[name] = [value];
        break;
      }
      case "map": {
        const known = object[name];
        const map: Record<string, unknown> = isRecord(known) ? known : {};
        const { key, value } = decodeEntry(type, field.bytes);
        map[key] = value;
        object[name] = map;
        break;
      }
      case "one": {
        const value = decodeValue(type, field);
        if (value !== undefined && !isDroppedZero(name, value)) object[name] = value;
      }
    }
  }
  return object;
}

function decodeEntry(type: string, bytes: Uint8Array): { key: string; value: unknown } {
  let key = "";
  let value: unknown;
  for (const field of readFields(bytes)) {
    if (field.number === 1) key = text(field.bytes);
    if (field.number === 2) value = decodeValue(type, field);
  }
  return { key, value: value ?? (type === "s" || type === "y" ? "" : type === "i" ? 0 : {}) };
}

/** Undefined for what JSON has no value for: a zero time, an empty quantity. */
function decodeValue(type: string, field: WireField): unknown {
  switch (type) {
    case "s":
      return text(field.bytes);
    case "i":
      return Number(BigInt.asIntN(64, field.value));
    case "b":
      return field.value !== 0n;
    case "d": {
      const view = new DataView(new ArrayBuffer(8));
      view.setBigUint64(0, field.value);
      return view.getFloat64(0);
    }
    case "y":
      return btoa(Array.from(field.bytes, (byte) => String.fromCharCode(byte)).join(""));
    case "q":
      return quantity(field.bytes);
    case "t":
      return time(field.bytes, rfc3339Seconds);
    case "m":
      return time(field.bytes, (ms) => rfc3339(ms).replace("Z", "000Z"));
    case "x":
      return intOrString(field.bytes);
    case "r":
      return rawJson(field.bytes);
    case "e":
      return [...readFields(field.bytes)].map((item) => text(item.bytes));
    default:
      return decodeMessage(type, field.bytes);
  }
}

function quantity(bytes: Uint8Array): string | undefined {
  for (const field of readFields(bytes)) if (field.number === 1) return text(field.bytes) || undefined;
  return undefined;
}

function time(bytes: Uint8Array, format: (ms: number) => string): string | undefined {
  let seconds: number | undefined;
  let nanos = 0;
  for (const field of readFields(bytes)) {
    if (field.number === 1) seconds = Number(BigInt.asIntN(64, field.value));
    if (field.number === 2) nanos = Number(field.value);
  }
  return seconds === undefined ? undefined : format(seconds * 1000 + Math.floor(nanos / 1e6));
}

function intOrString(bytes: Uint8Array): number | string {
  let isText = false;
  let number = 0;
  let string = "";
  for (const field of readFields(bytes)) {
    if (field.number === 1) isText = field.value === 1n;
    if (field.number === 2) number = Number(BigInt.asIntN(64, field.value));
    if (field.number === 3) string = text(field.bytes);
  }
  return isText ? string : number;
}

function rawJson(bytes: Uint8Array): unknown {
  for (const field of readFields(bytes)) {
    if (field.number !== 1) continue;
    try {
      return JSON.parse(text(field.bytes));
    } catch {
      throw new Malformed("a raw extension is not JSON");
    }
  }
  return undefined;
}

/** Pointers in Go, where 0 and false are not the same as absent. */
const POINTERS = new Set(
  (
    "activeDeadlineSeconds allocateLoadBalancerNodePorts allowPrivilegeEscalation automountServiceAccountToken " +
    "blockOwnerDeletion collisionCount controller defaultMode deletionGracePeriodSeconds enableServiceLinks " +
    "expirationSeconds fsGroup gracePeriodSeconds hostUsers ignoreStoreReadErrorWithClusterBreakingPotential immutable " +
    "leaseDurationSeconds leaseTransitions maxSurge maxUnavailable mode optional orphanDependents priority privileged " +
    "progressDeadlineSeconds readOnlyRootFilesystem ready remainingItemCount replicas revisionHistoryLimit runAsGroup " +
    "runAsNonRoot runAsUser serving setHostnameAsFQDN shareProcessNamespace started terminating " +
    "terminationGracePeriodSeconds timeoutSeconds tolerationSeconds"
  ).split(" "),
);

function isDroppedZero(name: string, value: unknown): boolean {
  if (value === "") return true;
  return (value === 0 || value === false) && !POINTERS.has(name);
}

const decoder = new TextDecoder("utf-8", { fatal: false });

function text(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
