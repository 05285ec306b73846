/**
 * The mesh-wide configuration: key `mesh` of ConfigMap `istio`, YAML, with Istio's defaults filled in.
 * Spec: istio.io reference, Global Mesh Options.
 */
import { parse } from "yaml";
import { camelCaseFields, isRecord } from "./json.ts";

export interface MeshConfig {
  readonly trustDomain: string;
  /** Its former names: certificates of them are still good. */
  readonly trustDomainAliases: readonly string[];
  readonly domain: string;
  readonly rootNamespace: string;
  readonly clusterId: string;
  readonly enableAutoMtls: boolean;
  readonly outboundTrafficMode: "ALLOW_ANY" | "REGISTRY_ONLY";
  /** Empty: no access log. */
  readonly accessLogFile: string;
  readonly accessLogFormat: string;
  readonly accessLogEncoding: "TEXT" | "JSON";
  readonly enableTracing: boolean;
  /** Percent. */
  readonly traceSampling: number;
  /** `host:port` of a Zipkin collector; empty: none. */
  readonly zipkinAddress: string;
  readonly connectTimeout: string;
  /** h2UpgradePolicy UPGRADE: HTTP ports are spoken to in HTTP/2 where no rule says otherwise. */
  readonly upgradesToHttp2: boolean;
  /** How far request paths are brought into one form before anything reads them. */
  readonly pathNormalization: (typeof NORMALIZATIONS)[number];
  readonly protocolDetectionTimeout: string;
  readonly defaultConfig: Readonly<Record<string, unknown>>;
  readonly extensionProviders: readonly Readonly<Record<string, unknown>>[];
  /** The document as it was written, for /debug/mesh. */
  readonly source: Readonly<Record<string, unknown>>;
}

const NORMALIZATIONS = ["NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"] as const;

export function parseMeshConfig(yaml: string): MeshConfig {
  const parsed: unknown = yaml.trim() === "" ? {} : parse(yaml);
  return decodeMeshConfig(isRecord(parsed) ? parsed : {});
}

export function decodeMeshConfig(document: Readonly<Record<string, unknown>>): MeshConfig {
  const fields = asRecord(camelCaseFields(document));
  const defaultConfig = asRecord(fields.defaultConfig);
  const tracing = asRecord(defaultConfig.tracing);
  const outbound = asRecord(fields.outboundTrafficPolicy);
  return {
    trustDomain: asText(fields.trustDomain, "cluster.local"),
    trustDomainAliases: asTexts(fields.trustDomainAliases),
    domain: "cluster.local",
    rootNamespace: asText(fields.rootNamespace, "istio-system"),
    clusterId: "Kubernetes",
    enableAutoMtls: fields.enableAutoMtls !== false,
    outboundTrafficMode: outbound.mode === "REGISTRY_ONLY" ? "REGISTRY_ONLY" : "ALLOW_ANY",
    accessLogFile: asText(fields.accessLogFile, ""),
    accessLogFormat: asText(fields.accessLogFormat, ""),
    accessLogEncoding: fields.accessLogEncoding === "JSON" ? "JSON" : "TEXT",
    enableTracing: fields.enableTracing !== false,
    traceSampling: typeof tracing.sampling === "number" ? tracing.sampling : 1,
    zipkinAddress: asText(asRecord(tracing.zipkin).address, ""),
    upgradesToHttp2: fields.h2UpgradePolicy === "UPGRADE",
    pathNormalization:
      NORMALIZATIONS.find((name) => name === asRecord(fields.pathNormalization).normalization) ?? "BASE",
    connectTimeout: asText(fields.connectTimeout, "10s"),
    protocolDetectionTimeout: asText(fields.protocolDetectionTimeout, "0s"),
    defaultConfig,
    extensionProviders: Array.isArray(fields.extensionProviders) ? fields.extensionProviders.filter(isRecord) : [],
    source: document,
  };
}

/** Whose certificates the mesh believes. */
export function trustDomainsOf(mesh: MeshConfig): readonly string[] {
  return [mesh.trustDomain, ...mesh.trustDomainAliases];
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {};
}

function asTexts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];
}

function asText(value: unknown, otherwise: string): string {
  return typeof value === "string" && value !== "" ? value : otherwise;
}
