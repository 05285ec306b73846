/** The other tables of `proxy-config`, in istioctl's columns: routes, clusters, endpoints and secrets. */
import { X509Certificate } from "node:crypto";
import type { ClusterStatuses, ClusterView, RouteView, SecretView } from "./config-view.ts";
import { configName } from "./config-view.ts";

type Rows = readonly (readonly string[])[];

export function routeRows(routes: readonly RouteView[], name: string | undefined): Rows {
  const rows = routes
    .filter((config) => name === undefined || config.name === name)
    .sort((a, b) => byPort(a.name, b.name))
    .flatMap((config) =>
      (config.virtual_hosts ?? []).flatMap((host) =>
        (host.routes ?? []).map(({ match = {}, metadata }) => [
          config.name ?? "",
          host.name ?? "",
          shortList(host.domains ?? []),
          match.path ?? match.safe_regex?.regex ?? `${match.prefix ?? match.path_separated_prefix ?? ""}*`,
          configName(metadata),
        ]),
      ),
    );
  return [["NAME", "VHOST NAME", "DOMAINS", "MATCH", "VIRTUAL SERVICE"], ...rows];
}

export interface ClusterFilter {
  readonly fqdn: string | undefined;
  readonly port: number | undefined;
  readonly subset: string | undefined;
  readonly direction: string | undefined;
}

export function clusterRows(clusters: readonly ClusterView[], filter: ClusterFilter): Rows {
  const rows = clusters
    .map((cluster) => {
      const parts = (cluster.name ?? "").split(/\||_\./);
      const isPlain = parts.length !== 4;
      const [direction = "", port = "", subset = "", fqdn = ""] = isPlain ? ["", "", "", cluster.name ?? ""] : parts;
      return { cluster, direction, port, subset, fqdn };
    })
    .filter(({ fqdn }) => filter.fqdn === undefined || fqdn.includes(filter.fqdn))
    .filter(({ port }) => filter.port === undefined || port === String(filter.port))
    .filter(({ subset }) => filter.subset === undefined || subset === filter.subset)
    .filter(({ direction }) => filter.direction === undefined || direction === filter.direction)
    .map(({ cluster, direction, port, subset, fqdn }) => [
      fqdn,
      port === "" ? "-" : port,
      subset === "" ? "-" : subset,
      direction === "" ? "-" : direction,
      cluster.type ?? "STATIC",
      configName(cluster.metadata),
    ])
    .sort((a, b) => (a.join("\0") < b.join("\0") ? -1 : 1));
  return [["SERVICE FQDN", "PORT", "SUBSET", "DIRECTION", "TYPE", "DESTINATION RULE"], ...rows];
}

export interface EndpointFilter {
  readonly cluster: string | undefined;
  readonly address: string | undefined;
  readonly port: number | undefined;
}

export function endpointRows(statuses: ClusterStatuses, filter: EndpointFilter): Rows {
  const rows = (statuses.cluster_statuses ?? [])
    .filter(({ name }) => filter.cluster === undefined || name === filter.cluster)
    .flatMap(({ name, host_statuses: hosts = [] }) =>
      hosts
        .filter(({ address }) => filter.port === undefined || address?.socket_address?.port_value === filter.port)
        .filter(({ address }) => filter.address === undefined || address?.socket_address?.address === filter.address)
        .map(({ address, health_status: health }) => [
          address?.socket_address === undefined
            ? `unix://${address?.pipe?.path ?? ""}`
            : `${address.socket_address.address}:${address.socket_address.port_value}`,
          health?.eds_health_status ?? "HEALTHY",
          health?.failed_outlier_check === true ? "FAILED" : "OK",
          name,
        ]),
    )
    .sort((a, b) => (a.join("\0") < b.join("\0") ? -1 : 1));
  return [["ENDPOINT", "STATUS", "OUTLIER CHECK", "CLUSTER"], ...rows];
}

export function secretRows(secrets: readonly SecretView[], nowMs: number): Rows {
  const rows = secrets.map((secret) => {
    const chain = secret.tls_certificate?.certificate_chain?.inline_bytes;
    const root = secret.validation_context?.trusted_ca?.inline_bytes;
    const type = chain === undefined ? "CA" : "Cert Chain";
    const pem = Buffer.from(chain ?? root ?? "", "base64").toString("utf8");
    return [secret.name ?? "", type, "ACTIVE", ...certificateCells(pem, nowMs)];
  });
  const header = ["RESOURCE NAME", "TYPE", "STATUS", "VALID CERT", "SERIAL NUMBER", "NOT AFTER", "NOT BEFORE"];
  return [header, ...rows];
}

function certificateCells(pem: string, nowMs: number): readonly string[] {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pem);
  } catch {
    // What the proxy holds is no certificate: that is the answer.
    return ["false", "", "", ""];
  }
  const [from, to] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
  const text = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`;
  return [String(from <= nowMs && nowMs <= to), certificate.serialNumber.toLowerCase(), text(to), text(from)];
}

/** `a, b + 3 more...` */
function shortList(names: readonly string[]): string {
  const [first = "", second, ...rest] = names;
  if (second === undefined) return first;
  return rest.length === 0 ? `${first}, ${second}` : `${first}, ${second} + ${rest.length} more...`;
}

function byPort(a = "", b = ""): number {
  const [x, y] = [Number(a), Number(b)];
  if (!Number.isNaN(x) && !Number.isNaN(y)) return x - y;
  return a < b ? -1 : a > b ? 1 : 0;
}
