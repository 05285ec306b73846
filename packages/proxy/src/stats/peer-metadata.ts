/**
 * Istio's peer metadata: what a sidecar tells the other about its workload, as a base64 protobuf Struct in x-envoy-peer-metadata. The header
 * comes from a peer, so it is bounded, decoded defensively and cached by its text (one object per peer, which is also the key of metric cells).
 * https://github.com/istio/istio/blob/master/pkg/bootstrap (node metadata), protobuf: google/protobuf/struct.proto
 */
export interface Workload {
  readonly name: string;
  readonly namespace: string;
  readonly workload: string;
  readonly cluster: string;
  readonly app: string;
  readonly version: string;
  readonly canonicalName: string;
  readonly canonicalRevision: string;
}

export const UNKNOWN_WORKLOAD: Workload = {
  name: "",
  namespace: "unknown",
  workload: "unknown",
  cluster: "unknown",
  app: "unknown",
  version: "unknown",
  canonicalName: "unknown",
  canonicalRevision: "latest",
};

const MAX_HEADER_LENGTH = 8 * 1024;
const MAX_CACHED_PEERS = 1024;
const MAX_DEPTH = 4;
const MAX_LABEL_LENGTH = 256;

/** A workload from Istio's node metadata (NAME, NAMESPACE, WORKLOAD_NAME, CLUSTER_ID, LABELS). */
export function workloadOf(metadata: Readonly<Record<string, unknown>>): Workload {
  const text = (value: unknown) =>
    typeof value === "string" && value !== "" ? value.slice(0, MAX_LABEL_LENGTH) : undefined;
  const labels = (typeof metadata.LABELS === "object" && metadata.LABELS !== null ? metadata.LABELS : {}) as Record<
    string,
    unknown
  >;
  const workload = text(metadata.WORKLOAD_NAME) ?? "unknown";
  const app = text(labels.app);
  return {
    name: text(metadata.NAME) ?? "",
    namespace: text(metadata.NAMESPACE) ?? "unknown",
    workload,
    cluster: text(metadata.CLUSTER_ID) ?? "unknown",
    app: app ?? "unknown",
    version: text(labels.version) ?? "unknown",
    canonicalName:
      text(labels["service.istio.io/canonical-name"]) ?? text(labels["app.kubernetes.io/name"]) ?? app ?? workload,
    canonicalRevision:
      text(labels["service.istio.io/canonical-revision"]) ??
      text(labels["app.kubernetes.io/version"]) ??
      text(labels.version) ??
      "latest",
  };
}

/** The header's value for our own node metadata. */
export function encodePeerMetadata(metadata: Readonly<Record<string, unknown>>): string {
  const kept: Record<string, unknown> = {};
  for (const key of [
    "NAME",
    "NAMESPACE",
    "WORKLOAD_NAME",
    "CLUSTER_ID",
    "OWNER",
    "MESH_ID",
    "ISTIO_VERSION",
    "SERVICE_ACCOUNT",
  ])
    if (typeof metadata[key] === "string") kept[key] = metadata[key];
  const labels = metadata.LABELS;
  if (typeof labels === "object" && labels !== null) {
    const known = labels as Record<string, unknown>;
    const wanted = ["app", "version", "service.istio.io/canonical-name", "service.istio.io/canonical-revision"];
    kept.LABELS = Object.fromEntries(
      wanted.flatMap((key) => (typeof known[key] === "string" ? [[key, known[key]]] : [])),
    );
  }
  return encodeStruct(kept).toString("base64");
}

export interface PeerDirectory {
  /** The workload of a header; the same object for the same text. Undefined when the text is not metadata. */
  lookup(header: string): Workload | undefined;
}

export function createPeerDirectory(): PeerDirectory {
  const cache = new Map<string, Workload | undefined>();
  return {
    lookup(header) {
      if (header.length > MAX_HEADER_LENGTH) return undefined;
      const known = cache.get(header);
      if (known !== undefined || cache.has(header)) return known;
      const struct = decodeStruct(Buffer.from(header, "base64"), 0);
      const workload = struct === undefined ? undefined : workloadOf(struct);
      if (cache.size >= MAX_CACHED_PEERS) {
        const oldest = cache.keys().next();
        if (oldest.done !== true) cache.delete(oldest.value);
      }
      cache.set(header, workload);
      return workload;
    },
  };
}

// ── google.protobuf.Struct: field 1 entries {1 key, 2 Value}; Value: 3 string, 5 Struct, 2 number, 4 bool ──

function encodeStruct(object: Readonly<Record<string, unknown>>): Buffer {
  const parts: Buffer[] = [];
  for (const [key, value] of Object.entries(object)) {
    const encoded =
      typeof value === "string"
        ? delimited(3, Buffer.from(value, "utf8"))
        : delimited(5, encodeStruct(value as Readonly<Record<string, unknown>>));
    parts.push(delimited(1, Buffer.concat([delimited(1, Buffer.from(key, "utf8")), delimited(2, encoded)])));
  }
  return Buffer.concat(parts);
}

function delimited(field: number, content: Buffer): Buffer {
  const length: number[] = [];
  let rest = content.length;
  do {
    length.push(rest > 127 ? (rest & 127) | 128 : rest);
    rest >>>= 7;
  } while (rest > 0);
  return Buffer.concat([Buffer.from([(field << 3) | 2, ...length]), content]);
}

function decodeStruct(bytes: Buffer, depth: number): Record<string, unknown> | undefined {
  if (depth > MAX_DEPTH) return undefined;
  const entries = decodeFields(bytes);
  if (entries === undefined) return undefined;
  const object: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const entry of entries) {
    if (entry.field !== 1) continue;
    const pair = decodeFields(entry.content);
    const key = pair?.find((part) => part.field === 1)?.content.toString("utf8");
    const value = pair?.find((part) => part.field === 2);
    if (key === undefined || value === undefined) continue;
    const inner = decodeFields(value.content)?.at(-1);
    if (inner?.field === 3) object[key] = inner.content.toString("utf8");
    else if (inner?.field === 5) object[key] = decodeStruct(inner.content, depth + 1);
  }
  return object;
}

function decodeFields(bytes: Buffer): readonly { readonly field: number; readonly content: Buffer }[] | undefined {
  const fields: { field: number; content: Buffer }[] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) return undefined;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
    return undefined;
  };
  while (at < bytes.length) {
    const tag = varint();
    if (tag === undefined) return undefined;
    const wire = tag & 7;
    let length: number | undefined;
    if (wire === 2) length = varint();
    else if (wire === 1) length = 8;
    else if (wire === 5) length = 4;
    else if (wire === 0) {
      if (varint() === undefined) return undefined;
      continue;
    }
    if (length === undefined || at + length > bytes.length) return undefined;
    fields.push({ field: tag >>> 3, content: bytes.subarray(at, at + length) });
    at += length;
  }
  return fields;
}
