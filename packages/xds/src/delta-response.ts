/**
 * DeltaDiscoveryResponse between objects and bytes. Written out because every push to every proxy is one, and a resource that is already bytes has only to
 * be framed. https://www.envoyproxy.io/docs/envoy/latest/api-v3/service/discovery/v3/discovery.proto
 */
import { WIRE } from "./message-tables.ts";
import { ProtoReader } from "./proto-reader.ts";
import type { ProtoWriter } from "./proto-writer.ts";
import type { DeltaDiscoveryResponse, DeltaResource, PackedResource } from "./types/discovery.ts";

const RESPONSE = { systemVersion: 1, resources: 2, typeUrl: 4, nonce: 5, removed: 6 } as const;
const RESOURCE = { version: 1, resource: 2, name: 3 } as const;
const ANY = { typeUrl: 1, value: 2 } as const;

export function encodeDeltaResponse(w: ProtoWriter, response: DeltaDiscoveryResponse): Uint8Array {
  w.reset();
  text(w, RESPONSE.systemVersion, response.systemVersionInfo);
  for (const { name, version, resource } of response.resources) {
    w.tag(RESPONSE.resources, WIRE.bytes);
    const start = w.begin();
    text(w, RESOURCE.version, version);
    w.tag(RESOURCE.resource, WIRE.bytes);
    const any = w.begin();
    text(w, ANY.typeUrl, resource.typeUrl);
    w.tag(ANY.value, WIRE.bytes);
    w.bytes(resource.value);
    w.end(any);
    text(w, RESOURCE.name, name);
    w.end(start);
  }
  text(w, RESPONSE.typeUrl, response.typeUrl);
  text(w, RESPONSE.nonce, response.nonce);
  for (const name of response.removedResources) {
    w.tag(RESPONSE.removed, WIRE.bytes);
    w.string(name);
  }
  return w.finish();
}

/** Throws WireError. A resource that says no type has the response's. */
export function decodeDeltaResponse(bytes: Uint8Array): DeltaDiscoveryResponse {
  const r = new ProtoReader(bytes);
  const resources: DeltaResource[] = [];
  const removedResources: string[] = [];
  const texts = new Map<number, string>();
  while (r.position < bytes.length) {
    const tag = r.tag();
    const field = tag >> 3;
    if ((tag & 7) !== WIRE.bytes) r.skip(tag & 7, bytes.length);
    else if (field === RESPONSE.resources) resources.push(readResource(r, r.endOfLength(bytes.length)));
    else if (field === RESPONSE.removed) removedResources.push(r.text(bytes.length));
    else if (field === RESPONSE.systemVersion || field === RESPONSE.typeUrl || field === RESPONSE.nonce)
      texts.set(field, r.text(bytes.length));
    else r.skip(tag & 7, bytes.length);
  }
  const typeUrl = texts.get(RESPONSE.typeUrl) ?? "";
  return {
    typeUrl,
    nonce: texts.get(RESPONSE.nonce) ?? "",
    systemVersionInfo: texts.get(RESPONSE.systemVersion) ?? "",
    removedResources,
    resources: resources.map((each) =>
      each.resource.typeUrl === "" ? { ...each, resource: { ...each.resource, typeUrl } } : each,
    ),
  };
}

function readResource(r: ProtoReader, end: number): DeltaResource {
  let name = "";
  let version = "";
  let resource: PackedResource = { typeUrl: "", value: new Uint8Array() };
  while (r.position < end) {
    const tag = r.tag();
    if (tag === RESOURCE.version * 8 + WIRE.bytes) version = r.text(end);
    else if (tag === RESOURCE.name * 8 + WIRE.bytes) name = r.text(end);
    else if (tag === RESOURCE.resource * 8 + WIRE.bytes) resource = readAny(r, r.endOfLength(end));
    else r.skip(tag & 7, end);
  }
  return { name, version, resource };
}

function readAny(r: ProtoReader, end: number): PackedResource {
  let typeUrl = "";
  let value: Uint8Array = new Uint8Array();
  while (r.position < end) {
    const tag = r.tag();
    if (tag === ANY.typeUrl * 8 + WIRE.bytes) typeUrl = r.text(end);
    else if (tag === ANY.value * 8 + WIRE.bytes) value = r.bytes(end);
    else r.skip(tag & 7, end);
  }
  return { typeUrl, value };
}

/** Without presence: an empty text is not written. */
function text(w: ProtoWriter, field: number, value: string): void {
  if (value === "") return;
  w.tag(field, WIRE.bytes);
  w.string(value);
}
