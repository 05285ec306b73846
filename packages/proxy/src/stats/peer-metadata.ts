/**
 * Istio's peer metadata: what a sidecar tells the other about its workload, as a base64 protobuf Struct in x-envoy-peer-metadata. The header
 * comes from a peer, so it is bounded, decoded defensively and cached by its text (one object per peer, which is also the key of metric cells).
 * https://github.com/istio/istio/blob/master/pkg/bootstrap (node metadata), protobuf: google/protobuf/struct.proto
 */
import { decodeStruct, encodeStruct } from "./struct-wire.ts";

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

const MAX_LENGTH = 16 * 1024;
const MAX_CACHED_PEERS = 1024;
const MAX_LABEL_LENGTH = 256;

/** A peer that sent no metadata: its certificate still proves the namespace (spiffe://<domain>/ns/<namespace>/sa/<account>). */
export function strangerOf(principal: string): Workload {
  const namespace = /^spiffe:\/\/[^/]+\/ns\/([a-z0-9-]{1,63})\/sa\//.exec(principal)?.[1];
  return namespace === undefined ? UNKNOWN_WORKLOAD : { ...UNKNOWN_WORKLOAD, namespace };
}

/** The same, one object for each principal: workloads are keys of metric cells. */
export function createStrangers(): (principal: string) => Workload {
  const known = new Map<string, Workload>();
  return (principal) => {
    let workload = known.get(principal);
    if (workload === undefined) {
      if (known.size >= MAX_CACHED_PEERS) known.clear();
      workload = strangerOf(principal);
      known.set(principal, workload);
    }
    return workload;
  };
}

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
  return Buffer.from(encodeStruct(peerMetadata(metadata))).toString("base64");
}

/** What a peer is told of our node metadata. */
export function peerMetadata(metadata: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
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
  return kept;
}

export interface PeerDirectory {
  /** The workload of a text; the same object for the same text. Undefined when the text is not metadata. */
  lookup(text: string): Workload | undefined;
}

export function createPeerDirectory(decode: (text: string) => Workload | undefined = decodeHeader): PeerDirectory {
  const cache = new Map<string, Workload | undefined>();
  return {
    lookup(text) {
      if (text.length > MAX_LENGTH) return undefined;
      const known = cache.get(text);
      if (known !== undefined || cache.has(text)) return known;
      const workload = decode(text);
      if (cache.size >= MAX_CACHED_PEERS) {
        const oldest = cache.keys().next();
        if (oldest.done !== true) cache.delete(oldest.value);
      }
      cache.set(text, workload);
      return workload;
    },
  };
}

function decodeHeader(text: string): Workload | undefined {
  const struct = decodeStruct(Buffer.from(text, "base64"));
  return struct === undefined ? undefined : workloadOf(struct);
}
