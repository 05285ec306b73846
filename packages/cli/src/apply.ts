/**
 * Applies our own manifests as `kubectl apply --server-side` would: one PATCH an object, in the order of the files. Each carries the annotation
 * that kubectl's client-side apply keeps, so that the user's later `kubectl apply` of the same file finds what it expects and warns of nothing.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { MeshError } from "@argyle/core";
import type { KubeClient, ObjectRef } from "@argyle/kube-client";
import { findResource, type KubeObject, type Resource } from "@argyle/kube-types";
import { parseAllDocuments } from "yaml";

const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** Every object of a manifest file, or of a folder's files in the order of their names (namespaces first). */
export function readManifests(path: string): readonly KubeObject[] {
  const files = statSync(path).isDirectory()
    ? readdirSync(path)
        .filter((name) => /\.ya?ml$/.test(name))
        .sort()
        .map((name) => join(path, name))
    : [path];
  const objects = files.flatMap((file) => parseManifest(file, readFileSync(file, "utf8")));
  return [...objects.filter((o) => o.kind === "Namespace"), ...objects.filter((o) => o.kind !== "Namespace")];
}

/** The objects of a text with any number of documents; empty ones are skipped. */
export function parseManifest(file: string, text: string): readonly KubeObject[] {
  return parseAllDocuments(text).flatMap((document) => {
    if (document.errors[0] !== undefined) {
      throw new MeshError(`${file}: ${document.errors[0].message}`, { code: "manifest.malformed" });
    }
    const value = document.toJS() as KubeObject | null;
    return value === null ? [] : [value];
  });
}

export async function applyObjects(client: KubeClient, objects: readonly KubeObject[]): Promise<void> {
  for (const object of objects) await applyObject(client, object);
}

/** Creates what is not there and leaves alone what is: it may have been changed by the user since an earlier start. */
export async function createMissing(client: KubeClient, objects: readonly KubeObject[]): Promise<void> {
  for (const object of objects) {
    const { resource, ref } = locate(object);
    if ((await client.find(resource, ref)) === undefined) await applyObject(client, object);
  }
}

/** The object as kubectl's client-side apply sends it, with its own configuration in the annotation. */
export function withLastApplied(object: KubeObject, namespace: string | undefined): KubeObject {
  const { [LAST_APPLIED]: _earlier, ...annotations } = object.metadata.annotations ?? {};
  const metadata = { ...object.metadata, ...(namespace === undefined ? {} : { namespace }), annotations };
  const configuration = goJson({ ...object, metadata });
  return { ...object, metadata: { ...metadata, annotations: { ...annotations, [LAST_APPLIED]: configuration } } };
}

async function applyObject(client: KubeClient, object: KubeObject): Promise<void> {
  const { resource, ref } = locate(object);
  await client.patch(resource, ref, "apply", withLastApplied(object, ref.namespace), {
    fieldManager: "argyle",
    force: true,
  });
}

function locate(object: KubeObject): { readonly resource: Resource; readonly ref: ObjectRef } {
  const { name, namespace = "default" } = object.metadata;
  const resource = findResource(object.apiVersion, object.kind);
  if (resource === undefined) {
    throw new MeshError(`${object.apiVersion} ${object.kind} ${name}: this kind is not served`, {
      code: "manifest.kind",
    });
  }
  return { resource, ref: resource.namespaced ? { name, namespace } : { name } };
}

/** JSON as Go's encoder writes a map: keys in order, HTML characters escaped, a line feed at the end. */
function goJson(value: unknown): string {
  const escapes: Readonly<Record<string, string>> = { "<": "\\u003c", ">": "\\u003e", "&": "\\u0026" };
  const text = JSON.stringify(sortKeys(value)).replace(/[<>&]/g, (character) => escapes[character] ?? character);
  return `${text.replace(/\u2028/g, "\\u2028").replace(/\u2029/g, "\\u2029")}\n`;
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sortKeys(inner)]),
  );
}
