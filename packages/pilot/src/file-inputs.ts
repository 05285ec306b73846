/**
 * istiod from files: every *.yaml and *.json document below a directory is an object, as `kubectl apply -f DIR` would see it.
 * ConfigMap istio-system/istio is the mesh configuration. Changed files are read again.
 */
import { readdirSync, readFileSync, watch } from "node:fs";
import { join } from "node:path";
import type { ConfigMap, KubeObject } from "@argyle/kube-types";
import { parseAllDocuments } from "yaml";
import type { ObjectChange } from "./collections.ts";
import { isRecord } from "./model/json.ts";
import { type MeshConfig, parseMeshConfig } from "./model/mesh-config.ts";

/** The objects of a text with any number of YAML documents; `List`s are opened. */
export function parseObjects(text: string): readonly KubeObject[] {
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document) => {
    const [problem] = document.errors;
    if (problem !== undefined) throw problem;
    return objectsOf(document.toJS());
  });
}

/** Reads a directory now and after every change; `onChanges` gets the difference. */
export function followDirectory(
  dir: string,
  onChanges: (changes: readonly ObjectChange[]) => void,
  onError: (thrown: unknown) => void,
): { close(): void } {
  let held = new Map<string, { readonly text: string; readonly object: KubeObject }>();
  const read = () => {
    try {
      const now = new Map<string, { readonly text: string; readonly object: KubeObject }>();
      for (const object of readDirectory(dir)) {
        now.set(`${object.kind}/${object.metadata.namespace ?? ""}/${object.metadata.name}`, {
          text: JSON.stringify(object),
          object,
        });
      }
      const changes: ObjectChange[] = [];
      for (const [key, entry] of now)
        if (held.get(key)?.text !== entry.text) changes.push({ type: "set", object: entry.object });
      for (const [key, entry] of held) if (!now.has(key)) changes.push({ type: "delete", object: entry.object });
      held = now;
      if (changes.length > 0) onChanges(changes);
    } catch (thrown) {
      onError(thrown);
    }
  };
  read();
  const watcher = watch(dir, { recursive: false }, read);
  return { close: () => watcher.close() };
}

/** ConfigMap istio-system/istio of the directory, or undefined when it has none. */
export function readMeshConfig(dir: string): MeshConfig | undefined {
  const found = readDirectory(dir).find((object) => object.kind === "ConfigMap" && object.metadata.name === "istio");
  return found === undefined ? undefined : parseMeshConfig((found as ConfigMap).data?.mesh ?? "");
}

export function readDirectory(dir: string): readonly KubeObject[] {
  return readdirSync(dir, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(dir, entry.name);
      if (entry.isDirectory()) return readDirectory(path);
      return /\.(ya?ml|json)$/.test(entry.name) ? parseObjects(readFileSync(path, "utf8")) : [];
    });
}

function objectsOf(value: unknown): readonly KubeObject[] {
  if (!isRecord(value) || typeof value.kind !== "string") return [];
  const items = value.items;
  if (value.kind.endsWith("List") && Array.isArray(items)) return items.flatMap(objectsOf);
  const metadata = value.metadata;
  if (!isRecord(metadata) || typeof metadata.name !== "string") return [];
  return [value as unknown as KubeObject];
}
