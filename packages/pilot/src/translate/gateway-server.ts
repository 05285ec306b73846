/**
 * Which Gateway servers a router carries, merged by the port it listens on.
 * A server's port is the Service's; the router listens on its targetPort. Servers of one port must agree: the first (oldest Gateway)
 * decides whether it is HTTP, TLS or TCP, and later ones of another kind are dropped. One host is served by one TLS server.
 * Spec: istio.io reference, Gateway.
 */
import type { Gateway, GatewayServer } from "@argyle/kube-types";
import { type Config, selects } from "../model/config.ts";
import { resolveHost } from "../model/host.ts";
import { isHttp, parseProtocol } from "../model/protocol.ts";
import { isExportedTo } from "../model/service.ts";
import { serviceTargets } from "../model/service-target.ts";
import type { VirtualServiceConfig } from "../model/virtual-service.ts";
import type { TranslateContext } from "./context.ts";

export type ServerKind = "http" | "https" | "tls" | "tcp";

export interface MergedServer {
  readonly gateway: Config<Gateway["spec"]>;
  /** `namespace/name`, as VirtualServices refer to it. */
  readonly gatewayName: string;
  readonly server: GatewayServer;
  readonly kind: ServerKind;
  /** Hosts without their namespace part. */
  readonly hosts: readonly string[];
  /** RDS name of an HTTP or HTTPS server. */
  readonly routeName: string;
}

export interface GatewayPort {
  /** The port that is listened on. */
  readonly port: number;
  readonly bind: string;
  readonly isPlainHttp: boolean;
  readonly servers: readonly MergedServer[];
}

const GATEWAY_SERVICE_ANNOTATION = "internal.istio.io/gateway-service";

export function gatewayPorts(context: TranslateContext): readonly GatewayPort[] {
  const { state, node } = context;
  const targets = serviceTargets(state, node);
  const ports = new Map<string, { port: number; bind: string; isPlainHttp: boolean; servers: MergedServer[] }>();
  for (const gateway of state.gateways) {
    const named = gateway.annotations[GATEWAY_SERVICE_ANNOTATION]?.split(",").map((part) => part.trim());
    const isMine =
      named !== undefined
        ? targets.some((target) => named.includes(target.service.hostname))
        : selects(gateway.spec.selector, node.labels);
    if (!isMine) continue;
    for (const server of gateway.spec.servers ?? []) {
      const own = named === undefined ? targets : targets.filter((target) => named.includes(target.service.hostname));
      const found = new Set(own.filter((target) => target.port.port === server.port.number).map((t) => t.targetPort));
      if (found.size === 0 && named === undefined) found.add(server.port.number);
      for (const port of [...found].sort((a, b) => a - b)) {
        const bind = server.bind === undefined || server.bind === "" ? "0.0.0.0" : server.bind;
        const merged = mergedServer(gateway, server, port);
        const isPlainHttp = merged.kind === "http";
        const held = ports.get(`${bind}_${port}`);
        if (held === undefined) {
          ports.set(`${bind}_${port}`, { port, bind, isPlainHttp, servers: [merged] });
          continue;
        }
        if (held.isPlainHttp !== isPlainHttp) continue;
        // Plain TCP cannot be told apart: the first has the port.
        if (merged.kind === "tcp" && held.servers.some((other) => other.kind === "tcp")) continue;
        held.servers.push(merged);
      }
    }
  }
  return [...ports.values()].sort((a, b) => a.port - b.port);
}

/** VirtualServices that are bound to a server: they name its gateway, and share a host that the server admits from their namespace. */
export function virtualServicesOf(
  context: TranslateContext,
  { gateway, gatewayName, server }: MergedServer,
): readonly { readonly vs: VirtualServiceConfig; readonly hosts: readonly string[] }[] {
  const out: { vs: VirtualServiceConfig; hosts: readonly string[] }[] = [];
  for (const vs of context.state.virtualServices) {
    if (!vs.gateways.includes(gatewayName)) continue;
    if (!isExportedTo(vs.exportTo, vs.namespace, gateway.namespace)) continue;
    const hosts = server.hosts.flatMap((entry) => {
      const [namespace, host] = splitServerHost(entry);
      const from = namespace === "." ? gateway.namespace : namespace;
      if (from !== "*" && from !== vs.namespace) return [];
      const pattern = resolveHost(host, gateway.namespace, context.state.mesh.domain);
      return vs.hosts.flatMap((own) => {
        const shared = intersect(pattern, own);
        return shared === undefined ? [] : [shared];
      });
    });
    if (hosts.length > 0) out.push({ vs, hosts: [...new Set(hosts)] });
  }
  return out;
}

function mergedServer(gateway: Config<Gateway["spec"]>, server: GatewayServer, port: number): MergedServer {
  const kind = kindOf(server);
  return {
    gateway,
    gatewayName: `${gateway.namespace}/${gateway.name}`,
    server,
    kind,
    hosts: server.hosts.map((host) => splitServerHost(host)[1]),
    routeName:
      kind === "http"
        ? `http.${port}`
        : `https.${server.port.number}.${server.port.name}.${gateway.name}.${gateway.namespace}`,
  };
}

function kindOf(server: GatewayServer): ServerKind {
  const protocol = parseProtocol(server.port.protocol, server.port.number);
  if (isHttp(protocol)) return "http";
  const mode = server.tls?.mode;
  if (protocol === "HTTPS") return mode === "PASSTHROUGH" || mode === "AUTO_PASSTHROUGH" ? "tls" : "https";
  if (protocol === "TLS") return "tls";
  return "tcp";
}

function splitServerHost(entry: string): readonly [namespace: string, host: string] {
  const slash = entry.indexOf("/");
  return slash === -1 ? ["*", entry] : [entry.slice(0, slash), entry.slice(slash + 1)];
}

/** The narrower of two host patterns when one covers the other. */
function intersect(a: string, b: string): string | undefined {
  if (a === b || a === "*") return b;
  if (b === "*") return a;
  if (a.startsWith("*") && b.endsWith(a.slice(1))) return b;
  if (b.startsWith("*") && a.endsWith(b.slice(1))) return a;
  return undefined;
}
