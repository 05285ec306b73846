/**
 * Cluster IPs from 10.96.0.0/12 and node ports from 30000-32767. Who owns what is read from the stored Services on every allocation,
 * so nothing can leak or go stale. Addresses are handed out in order, a freed one not before the range wraps.
 * A given address or port is honoured; one that is taken is refused with 422 and its owner's name.
 * 10.96.0.1 belongs to default/kubernetes.
 */
import type { Problem } from "@argyle/core";
import { type KubeObject, resourceOf } from "@argyle/kube-types";
import { at, ensureObject, isJsonObject, type JsonObject, listOf, textAt, textOf } from "../json.ts";
import type { Store } from "../storage.ts";

export const KUBERNETES_SERVICE_IP = "10.96.0.1";

const FIRST_IP = 0x0a600002;
const LAST_IP = 0x0a6ffffe;
const FIRST_PORT = 30_000;
const LAST_PORT = 32_767;
/** Ports below are left to manifests that name one, as in Kubernetes (KEP-3668): they are handed out only when the rest is used up. */
const FIRST_DYNAMIC_PORT = 30_086;
const SERVICES = resourceOf("Service");

export interface ServiceAllocator {
  /** Fills in clusterIP(s), node ports and target ports; `current` is the stored Service on update. */
  allocate(service: JsonObject, current: KubeObject | undefined): readonly Problem[];
}

export function createServiceAllocator(store: Store): ServiceAllocator {
  let lastIp = FIRST_IP - 1;
  let lastPort = FIRST_DYNAMIC_PORT - 1;

  const nextFree = (last: number, first: number, end: number, isTaken: (n: number) => boolean): number | undefined => {
    const span = end - first + 1;
    for (let i = 1; i <= span; i++) {
      const candidate = first + ((last - first + i) % span);
      if (!isTaken(candidate)) return candidate;
    }
    return undefined;
  };

  return {
    allocate(service, current) {
      const problems: Problem[] = [];
      const spec = ensureObject(service, "spec");
      const self = `${textAt(service, "metadata", "namespace")}/${textAt(service, "metadata", "name")}`;
      const taken = readTaken(store.list(SERVICES), self);
      const type = textOf(spec.type) ?? "ClusterIP";

      if (type === "ExternalName") {
        delete spec.clusterIP;
        delete spec.clusterIPs;
      } else {
        let ip = textOf(spec.clusterIP) ?? textOf(listOf(spec.clusterIPs)[0]) ?? "";
        const before = textAt(current, "spec", "clusterIP") ?? "";
        if (ip === "") ip = before;
        else if (before !== "" && ip !== before) {
          const message = `Invalid value: ["${ip}"]: may not change once set`;
          problems.push({ path: "spec.clusterIPs[0]", message });
        }
        if (ip === "") {
          const free = nextFree(lastIp, FIRST_IP, LAST_IP, (n) => taken.ips.has(formatIp(n)));
          if (free === undefined) {
            problems.push({ path: "spec.clusterIPs", message: "Internal error: range is full" });
          } else {
            lastIp = free;
            ip = formatIp(free);
          }
        } else if (ip !== "None" && ip !== before) problems.push(...checkGivenIp(ip, self, taken.ips.get(ip)));
        spec.clusterIP = ip;
        spec.clusterIPs = [ip];
      }

      const wantsNodePorts =
        type === "NodePort" || (type === "LoadBalancer" && spec.allocateLoadBalancerNodePorts !== false);
      const oldPorts = listOf(at(current, "spec", "ports")).filter(isJsonObject);
      const own = new Set<number>();
      const ports = listOf(spec.ports).filter(isJsonObject);
      for (const [index, port] of ports.entries()) {
        if (spec.clusterIP !== "None" || port.targetPort === undefined) {
          if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === "")
            port.targetPort = port.port;
        }
        if (type === "ClusterIP" || type === "ExternalName") {
          // A type that has none: what an update left over goes, as in Kubernetes.
          const left = oldPorts.find((old) => old.port === port.port)?.nodePort;
          if (port.nodePort === undefined || port.nodePort === left || port.nodePort === 0) delete port.nodePort;
          else {
            const message = `Forbidden: may not be used when \`type\` is '${type}'`;
            problems.push({ path: `spec.ports[${index}].nodePort`, message });
          }
          continue;
        }
        const given = typeof port.nodePort === "number" && port.nodePort !== 0 ? port.nodePort : undefined;
        if (given !== undefined) {
          own.add(given);
          const owner = taken.ports.get(given);
          if (owner !== undefined) {
            const message = `Invalid value: ${given}: provided port is already allocated (by ${owner})`;
            problems.push({ path: `spec.ports[${index}].nodePort`, message });
          } else if (given < FIRST_PORT || given > LAST_PORT) {
            const message = `Invalid value: ${given}: provided port is not in the valid range. The range of valid ports is ${FIRST_PORT}-${LAST_PORT}`;
            problems.push({ path: `spec.ports[${index}].nodePort`, message });
          }
        }
      }
      if (wantsNodePorts) {
        for (const port of ports) {
          if (typeof port.nodePort === "number" && port.nodePort !== 0) continue;
          const before = oldPorts.find((old) => old.port === port.port && old.protocol === port.protocol)?.nodePort;
          if (typeof before === "number" && !own.has(before)) {
            port.nodePort = before;
          } else {
            const isTaken = (n: number) => taken.ports.has(n) || own.has(n);
            const free =
              nextFree(lastPort, FIRST_DYNAMIC_PORT, LAST_PORT, isTaken) ??
              nextFree(FIRST_PORT - 1, FIRST_PORT, FIRST_DYNAMIC_PORT - 1, isTaken);
            if (free === undefined) {
              problems.push({ path: "spec.ports", message: "Internal error: no node port is free" });
              break;
            }
            lastPort = Math.max(free, FIRST_DYNAMIC_PORT - 1);
            port.nodePort = free;
          }
          own.add(Number(port.nodePort));
        }
      }
      return problems;
    },
  };
}

function readTaken(services: readonly KubeObject[], except: string) {
  const ips = new Map<string, string>([[KUBERNETES_SERVICE_IP, "default/kubernetes"]]);
  const ports = new Map<number, string>();
  for (const service of services) {
    const owner = `${service.metadata.namespace}/${service.metadata.name}`;
    if (owner === except) continue;
    const ip = textAt(service, "spec", "clusterIP");
    if (ip !== undefined && ip !== "None") ips.set(ip, owner);
    for (const port of listOf(at(service, "spec", "ports"))) {
      const nodePort = at(port, "nodePort");
      if (typeof nodePort === "number") ports.set(nodePort, owner);
    }
  }
  if (except === "default/kubernetes") ips.delete(KUBERNETES_SERVICE_IP);
  return { ips, ports };
}

function checkGivenIp(ip: string, self: string, owner: string | undefined): readonly Problem[] {
  const path = "spec.clusterIPs";
  const value = `Invalid value: ["${ip}"]`;
  if (owner !== undefined) {
    return [{ path, message: `${value}: failed to allocate IP ${ip}: provided IP is already allocated (by ${owner})` }];
  }
  const number = parseIp(ip);
  if (number === undefined) {
    return [{ path: "spec.clusterIPs[0]", message: `Invalid value: "${ip}": must be a valid IP address, or None` }];
  }
  const isInRange = (number >= FIRST_IP && number <= LAST_IP) || self === "default/kubernetes";
  if (isInRange) return [];
  const why = `the provided IP (${ip}) is not in the valid range. The range of valid IPs is 10.96.0.0/12`;
  return [{ path, message: `${value}: failed to allocate IP ${ip}: ${why}` }];
}

function formatIp(n: number): string {
  return `${(n >>> 24) & 255}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`;
}

function parseIp(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  const bytes = match.slice(1).map(Number);
  return bytes.every((b) => b < 256) ? bytes.reduce((sum, b) => sum * 256 + b, 0) : undefined;
}
