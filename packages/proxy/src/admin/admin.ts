/**
 * The admin page of one proxy, as Envoy's. Pure: a request's method and URL in, a response out; admin/serve.ts puts it on sockets.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/operations/admin
 */
import { X509Certificate } from "node:crypto";
import { ENVOY_VERSION } from "@argyle/core";
import { RE2JS } from "re2js";
import { formatAddress } from "../config/address.ts";
import type { ProxyServer } from "../proxy.ts";
import { addressJson, clustersJson, clustersText } from "./clusters-page.ts";
import { buildConfigDump } from "./config-dump.ts";
import { collectStats, formatStats } from "./stats-page.ts";

export interface AdminResponse {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

export interface AdminDeps {
  readonly proxy: ProxyServer;
  readonly logLevel: { get(): string; set(level: string): boolean };
  readonly quit: () => void;
}

const PAGES = {
  "/certs": "print certs on machine",
  "/clusters": "upstream cluster status",
  "/config_dump": "dump current Envoy configs (experimental)",
  "/help": "print out list of admin commands",
  "/listeners": "print listener info",
  "/logging": "query/change logging levels",
  "/quitquitquit": "exit the server",
  "/ready": "print server state, return 200 if LIVE, otherwise return 503",
  "/server_info": "print server version/status information",
  "/stats": "print server stats",
  "/stats/prometheus": "print server stats in prometheus format",
} as const;

export function answerAdmin(deps: AdminDeps, method: string, target: string): AdminResponse {
  const url = new URL(target, "http://admin");
  const query = url.searchParams;
  const { proxy } = deps;
  const { runtime } = proxy;
  const isJson = query.get("format") === "json";
  switch (url.pathname) {
    case "/":
    case "/help":
      return text(
        `admin commands are:\n${Object.entries(PAGES)
          .map(([path, about]) => `  ${path}: ${about}\n`)
          .join("")}`,
      );
    case "/config_dump": {
      const resource = query.get("resource") ?? undefined;
      return json(
        buildConfigDump(proxy, { includesEndpoints: query.has("include_eds") || resource !== undefined, resource }),
      );
    }
    case "/clusters": {
      const clusters = runtime.snapshot().clusters.values();
      return isJson ? json(clustersJson(clusters)) : text(clustersText(clusters));
    }
    case "/listeners": {
      const listeners = [...proxy.listeners.active.values()].flatMap(({ config }) =>
        config.addresses.slice(0, 1).map((address) => ({ name: config.name, address })),
      );
      return isJson
        ? json({
            listener_statuses: listeners.map(({ name, address }) => ({ name, local_address: addressJson(address) })),
          })
        : text(listeners.map(({ name, address }) => `${name}::${formatAddress(address)}\n`).join(""));
    }
    case "/stats":
    case "/stats/prometheus":
      return stats(deps, url);
    case "/ready":
      return runtime.isReady ? text("LIVE\n") : { ...text("PRE_INITIALIZING\n"), status: 503 };
    case "/server_info":
      return json({
        version: `argyle/${ENVOY_VERSION}/Clean/RELEASE/BoringSSL`,
        state: runtime.isReady ? "LIVE" : "PRE_INITIALIZING",
        uptime_current_epoch: `${Math.floor((proxy.deps.clock.now() - proxy.startedAtMs) / 1000)}s`,
        uptime_all_epochs: `${Math.floor((proxy.deps.clock.now() - proxy.startedAtMs) / 1000)}s`,
        node: proxy.deps.node,
      });
    case "/logging": {
      const level = query.get("level") ?? [...query.values()][0];
      if (level !== undefined && (method !== "POST" || !deps.logLevel.set(level)))
        return { ...text(`usage: /logging?level=<level> (change all levels), with POST\n`), status: 400 };
      return text(`active loggers:\n  proxy: ${deps.logLevel.get()}\n`);
    }
    case "/certs":
      return json({ certificates: certificates(deps) });
    case "/quitquitquit":
      if (method !== "POST") return methodNotAllowed();
      deps.quit();
      return text("OK\n");
    default:
      return { ...text("invalid path. admin commands are:\n"), status: 404 };
  }
}

function stats({ proxy }: AdminDeps, url: URL): AdminResponse {
  const query = url.searchParams;
  const { registry } = proxy.deps;
  const filter = query.get("filter");
  let accepts: (name: string) => boolean = () => true;
  if (filter !== null) {
    try {
      const regex = RE2JS.compile(filter);
      accepts = (name) => regex.matcher(name).find();
    } catch (error) {
      return { ...text(`Invalid regex: "${error instanceof Error ? error.message : String(error)}"\n`), status: 400 };
    }
  }
  if (url.pathname === "/stats/prometheus" || query.get("format") === "prometheus")
    return {
      status: 200,
      type: "text/plain; version=0.0.4",
      body: registry.expose(filter === null ? undefined : accepts),
    };
  const lines = collectStats(registry, accepts, query.has("usedonly"));
  return query.get("format") === "json" ? json({ stats: lines }) : text(formatStats(lines));
}

function certificates({ proxy }: AdminDeps): readonly object[] {
  const describe = (pem: string) => {
    const certificate = new X509Certificate(pem);
    const left = Date.parse(certificate.validTo) - proxy.deps.clock.now();
    return {
      path: "<inline>",
      serial_number: certificate.serialNumber.toLowerCase(),
      subject_alt_names: (certificate.subjectAltName ?? "")
        .split(", ")
        .filter((name) => name.startsWith("URI:"))
        .map((name) => ({ uri: name.slice(4) })),
      days_until_expiration: String(Math.floor(left / 86_400_000)),
      valid_from: new Date(certificate.validFrom).toISOString(),
      expiration_time: new Date(certificate.validTo).toISOString(),
    };
  };
  const all = proxy.runtime.secrets.all();
  const roots = all.flatMap(({ config }) =>
    config.kind === "validation" && config.trustedCa !== "" ? [describe(config.trustedCa)] : [],
  );
  return all.flatMap(({ config }) =>
    config.kind === "certificate" ? [{ ca_cert: roots, cert_chain: [describe(config.chain)] }] : [],
  );
}

function text(body: string): AdminResponse {
  return { status: 200, type: "text/plain; charset=UTF-8", body };
}

function json(value: object): AdminResponse {
  return { status: 200, type: "application/json", body: `${JSON.stringify(value, null, 1)}\n` };
}

function methodNotAllowed(): AdminResponse {
  return { status: 405, type: "text/plain; charset=UTF-8", body: "Method Not Allowed\n" };
}
