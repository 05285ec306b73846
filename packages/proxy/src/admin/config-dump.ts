/** The configuration in force in the shape of Envoy's /config_dump: the resources themselves with version, time and state. Private keys never show. */
import { rfc3339 } from "@argyle/core";
import type { ProxyServer } from "../proxy.ts";
import { TYPE_URL } from "../resource-sink.ts";

const PREFIX = "type.googleapis.com/envoy.admin.v3.";

export interface ConfigDumpOptions {
  readonly includesEndpoints: boolean;
  /** The field of one section, such as dynamic_listeners; all sections when undefined. */
  readonly resource: string | undefined;
}

export function buildConfigDump(proxy: ProxyServer, options: ConfigDumpOptions): object {
  const sections = buildSections(proxy, options.includesEndpoints).map((section) => redact(section) as Section);
  if (options.resource === undefined) return { configs: sections };
  const wanted = options.resource;
  return {
    configs: sections.flatMap((section) => {
      const list = section[wanted];
      return Array.isArray(list) ? list.map((item: object) => ({ "@type": `${section["@type"]}.entry`, ...item })) : [];
    }),
  };
}

/** Fields of Envoy's API that are marked sensitive, wherever they stand. */
const SENSITIVE: ReadonlySet<string> = new Set(["private_key", "password", "session_ticket_keys", "pkcs12"]);
const REDACTED = Buffer.from("[redacted]").toString("base64");

/** The value with secrets replaced; a data source that only names a file is kept. */
function redact(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(redact);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, SENSITIVE.has(name) ? mask(inner) : redact(inner)]),
  );
}

function mask(source: unknown): unknown {
  const isFile = typeof source === "object" && source !== null && "filename" in source;
  return isFile ? source : { inline_bytes: REDACTED };
}

type Section = { readonly "@type": string } & Readonly<Record<string, unknown>>;

function buildSections(proxy: ProxyServer, includesEndpoints: boolean): readonly Section[] {
  const { runtime, deps } = proxy;
  const at = (ms: number | undefined) => rfc3339(ms ?? proxy.startedAtMs);
  const cluster = (name: string, version: string, raw: object) => ({
    version_info: version,
    cluster: { "@type": TYPE_URL.cluster, ...raw },
    last_updated: at(runtime.clusterTimes.get(name)),
  });
  const bootstrap = {
    "@type": `${PREFIX}BootstrapConfigDump`,
    bootstrap: { node: { id: deps.node.id, cluster: deps.node.cluster, metadata: deps.node.metadata } },
    last_updated: at(proxy.startedAtMs),
  };
  const clusters = {
    "@type": `${PREFIX}ClustersConfigDump`,
    dynamic_active_clusters: [...runtime.snapshot().clusters.values()].map((c) =>
      cluster(c.config.name, c.version, c.config.raw),
    ),
    dynamic_warming_clusters: [...runtime.warmingClusters.values()].map((c) =>
      cluster(c.config.name, c.version, c.config.raw),
    ),
  };
  const endpoints = {
    "@type": `${PREFIX}EndpointsConfigDump`,
    dynamic_endpoint_configs: [...runtime.endpointResources.values()].map((entry) => ({
      version_info: entry.version,
      endpoint_config: { "@type": TYPE_URL.endpoint, ...entry.raw },
      last_updated: at(entry.updatedAtMs),
    })),
  };
  const state = (entry: { version: string; raw: object; updatedAtMs: number } | undefined) =>
    entry === undefined
      ? undefined
      : {
          version_info: entry.version,
          listener: { "@type": TYPE_URL.listener, ...entry.raw },
          last_updated: at(entry.updatedAtMs),
        };
  const names = new Set([...runtime.listeners.keys(), ...runtime.warmingListeners.keys()]);
  const listeners = {
    "@type": `${PREFIX}ListenersConfigDump`,
    dynamic_listeners: [...names].map((name) => ({
      name,
      active_state: state(runtime.listeners.get(name)),
      warming_state: state(runtime.warmingListeners.get(name)),
    })),
  };
  const routes = {
    "@type": `${PREFIX}RoutesConfigDump`,
    static_route_configs: [...runtime.listeners.values()].flatMap((entry) =>
      inlineRoutes(entry.raw, at(entry.updatedAtMs)),
    ),
    dynamic_route_configs: [...runtime.routeResources.values()].map((entry) => ({
      version_info: entry.version,
      route_config: { "@type": TYPE_URL.route, ...entry.raw },
      last_updated: at(entry.updatedAtMs),
    })),
  };
  const secrets = {
    "@type": `${PREFIX}SecretsConfigDump`,
    dynamic_active_secrets: runtime.secrets.all().map(({ name, version, config, receivedAtMs }) => ({
      name,
      version_info: version,
      last_updated: at(receivedAtMs),
      secret: {
        "@type": TYPE_URL.secret,
        name,
        ...(config.kind === "certificate"
          ? {
              tls_certificate: {
                certificate_chain: { inline_bytes: Buffer.from(config.chain).toString("base64") },
                private_key: { inline_string: config.privateKey },
              },
            }
          : { validation_context: { trusted_ca: { inline_bytes: Buffer.from(config.trustedCa).toString("base64") } } }),
      },
    })),
  };
  return includesEndpoints
    ? [bootstrap, clusters, endpoints, listeners, routes, secrets]
    : [bootstrap, clusters, listeners, routes, secrets];
}

/** Route configurations written inside listeners. */
function inlineRoutes(listener: object, updated: string): readonly object[] {
  const found: object[] = [];
  const visit = (value: unknown) => {
    if (Array.isArray(value)) for (const item of value) visit(item);
    else if (typeof value === "object" && value !== null) {
      for (const [key, inner] of Object.entries(value)) {
        if (key === "route_config" && typeof inner === "object" && inner !== null)
          found.push({ route_config: { "@type": TYPE_URL.route, ...inner }, last_updated: updated });
        else visit(inner);
      }
    }
  };
  visit(listener);
  return found;
}
