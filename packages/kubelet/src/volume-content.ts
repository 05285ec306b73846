/**
 * Which files a volume holds, pure: ConfigMap, Secret, downward API and projected volumes as one flat list of path and bytes.
 * Tokens are asked for beforehand and handed in. Source: Kubernetes, "Projected Volumes", "Secrets", "ConfigMaps".
 */
import { err, ok, type Problem, type Result } from "@argyle/core";
import type { ConfigMap, DownwardFile, KeyToPath, Pod, ProjectedSource, Secret, Volume } from "@argyle/kube-types";
import { type NodeFacts, readPodField, readResourceField } from "./downward.ts";

export interface VolumeFile {
  readonly path: string;
  readonly content: Buffer;
  readonly mode: number;
}

export interface TokenSource {
  readonly audience: string | undefined;
  readonly expirationSeconds: number;
}

export interface ContentInputs {
  readonly pod: Pod;
  readonly podIP: string;
  readonly node: NodeFacts;
  readonly configMap: (name: string) => ConfigMap | undefined;
  readonly secret: (name: string) => Secret | undefined;
  /** The token for a source, by tokenKey. */
  readonly tokens: ReadonlyMap<string, string>;
}

export function tokenKey(source: TokenSource): string {
  return `${source.audience ?? ""}/${source.expirationSeconds}`;
}

/** The tokens that a pod's volumes need. */
export function tokenSources(volume: Volume): readonly TokenSource[] {
  return (volume.projected?.sources ?? []).flatMap(({ serviceAccountToken: token }) =>
    token === undefined ? [] : [{ audience: token.audience, expirationSeconds: token.expirationSeconds ?? 3600 }],
  );
}

/** True for volumes whose files the kubelet writes. */
export function hasContent(volume: Volume): boolean {
  const { configMap, secret, downwardAPI, projected } = volume;
  return (configMap ?? secret ?? downwardAPI ?? projected) !== undefined;
}

/** Does a change of this ConfigMap or Secret change the volume? */
export function refersTo(volume: Volume, kind: "ConfigMap" | "Secret", name: string): boolean {
  const isName = (ref: { readonly name?: string; readonly secretName?: string } | undefined) =>
    (ref?.name ?? ref?.secretName) === name;
  const sources = volume.projected?.sources ?? [];
  return kind === "ConfigMap"
    ? isName(volume.configMap) || sources.some((source) => isName(source.configMap))
    : isName(volume.secret) || sources.some((source) => isName(source.secret));
}

export function volumeContent(volume: Volume, inputs: ContentInputs): Result<readonly VolumeFile[]> {
  const { configMap, secret, downwardAPI, projected } = volume;
  const mode = (configMap ?? secret ?? downwardAPI ?? projected)?.defaultMode ?? 0o644;
  const sources: readonly ProjectedSource[] =
    configMap !== undefined
      ? [{ configMap }]
      : secret !== undefined
        ? [{ secret: { ...secret, name: secret.secretName } }]
        : downwardAPI !== undefined
          ? [{ downwardAPI }]
          : (projected?.sources ?? []);
  const files: VolumeFile[] = [];
  const problems: Problem[] = [];
  for (const source of sources) {
    const read = readSource(source, mode, inputs);
    if (read.ok) files.push(...read.value);
    else problems.push(...read.error.map((message) => ({ path: volume.name, message })));
  }
  for (const file of files) {
    if (file.path.split("/").includes("..") || file.path.startsWith("/")) {
      problems.push({ path: volume.name, message: `path ${file.path} must stay inside the volume` });
    }
  }
  return problems.length === 0 ? ok(files) : err(problems);
}

function readSource(
  source: ProjectedSource,
  mode: number,
  inputs: ContentInputs,
): Result<readonly VolumeFile[], readonly string[]> {
  const { configMap, secret, downwardAPI, serviceAccountToken } = source;
  if (configMap !== undefined) {
    const found = inputs.configMap(configMap.name);
    const keys: Record<string, Buffer> = {};
    for (const [key, text] of Object.entries(found?.data ?? {})) keys[key] = Buffer.from(text);
    for (const [key, text] of Object.entries(found?.binaryData ?? {})) keys[key] = Buffer.from(text, "base64");
    return pick("configmap", configMap, found && keys, mode);
  }
  if (secret !== undefined) {
    const found = inputs.secret(secret.name);
    const keys: Record<string, Buffer> = {};
    for (const [key, text] of Object.entries(found?.data ?? {})) keys[key] = Buffer.from(text, "base64");
    return pick("secret", secret, found && keys, mode);
  }
  if (downwardAPI !== undefined) return readDownward(downwardAPI.items ?? [], mode, inputs);
  if (serviceAccountToken !== undefined) {
    const { audience, expirationSeconds = 3600, path } = serviceAccountToken;
    const token = inputs.tokens.get(tokenKey({ audience, expirationSeconds }));
    return token === undefined ? err(["no token yet"]) : ok([{ path, content: Buffer.from(token), mode: 0o600 }]);
  }
  return ok([]);
}

function pick(
  kind: string,
  ref: { readonly name: string; readonly items?: readonly KeyToPath[]; readonly optional?: boolean },
  keys: Readonly<Record<string, Buffer>> | undefined,
  mode: number,
): Result<readonly VolumeFile[], readonly string[]> {
  if (keys === undefined) return ref.optional === true ? ok([]) : err([`${kind} "${ref.name}" not found`]);
  if (ref.items === undefined) {
    return ok(Object.entries(keys).map(([key, content]) => ({ path: key, content, mode })));
  }
  const missing: string[] = [];
  const files: VolumeFile[] = [];
  for (const item of ref.items) {
    const content = keys[item.key];
    if (content !== undefined) files.push({ path: item.path, content, mode: item.mode ?? mode });
    else if (ref.optional !== true) missing.push(`${kind} "${ref.name}" has no key "${item.key}"`);
  }
  return missing.length === 0 ? ok(files) : err(missing);
}

function readDownward(
  items: readonly DownwardFile[],
  mode: number,
  inputs: ContentInputs,
): Result<readonly VolumeFile[], readonly string[]> {
  const files: VolumeFile[] = [];
  const problems: string[] = [];
  for (const item of items) {
    const text =
      item.fieldRef !== undefined
        ? readPodField(inputs.pod, inputs.podIP, inputs.node, item.fieldRef)
        : item.resourceFieldRef !== undefined
          ? readResourceField(inputs.pod, "", inputs.node, item.resourceFieldRef)
          : undefined;
    if (text === undefined) problems.push(`cannot read ${item.fieldRef?.fieldPath ?? item.resourceFieldRef?.resource}`);
    else files.push({ path: item.path, content: Buffer.from(text), mode: item.mode ?? mode });
  }
  return problems.length === 0 ? ok(files) : err(problems);
}
