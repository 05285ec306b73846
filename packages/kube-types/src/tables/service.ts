/** Services and the two forms of their endpoints. */
import type { EndpointSlice } from "../endpoint-slice.ts";
import type { Endpoints } from "../endpoints.ts";
import type { Service } from "../service.ts";
import { ageColumn, type Column, cellOf, formatLabels, NONE, nameColumn, shorten } from "./column.ts";

const UNSET = "<unset>";

export const serviceColumns: readonly Column[] = [
  nameColumn,
  cellOf<Service>("Type", (s) => s.spec.type ?? "ClusterIP"),
  cellOf<Service>("Cluster-IP", (s) => s.spec.clusterIP || NONE),
  cellOf<Service>("External-IP", externalIp),
  cellOf<Service>("Port(s)", ports),
  ageColumn,
  cellOf<Service>("Selector", (s) => formatLabels(s.spec.selector), { wide: true }),
];

function externalIp(service: Service): string {
  const given = service.spec.externalIPs ?? [];
  switch (service.spec.type ?? "ClusterIP") {
    case "ExternalName":
      return service.spec.externalName ?? "";
    case "LoadBalancer": {
      const ingress = (service.status?.loadBalancer?.ingress ?? []).flatMap((i) => {
        const address = i.ip || i.hostname;
        return address === undefined || address === "" ? [] : [address];
      });
      const all = [...new Set([...ingress, ...given])];
      return all.length === 0 ? "<pending>" : all.join(",");
    }
    case "ClusterIP":
    case "NodePort":
      return given.length === 0 ? NONE : given.join(",");
  }
}

function ports(service: Service): string {
  const list = (service.spec.ports ?? []).map(({ port, nodePort, protocol = "TCP" }) =>
    nodePort === undefined || nodePort === 0 ? `${port}/${protocol}` : `${port}:${nodePort}/${protocol}`,
  );
  return list.length === 0 ? NONE : list.join(",");
}

export const endpointsColumns: readonly Column[] = [
  nameColumn,
  cellOf<Endpoints>("Endpoints", (endpoints) => {
    const list = (endpoints.subsets ?? []).flatMap((subset) => {
      const addresses = (subset.addresses ?? []).map((a) => a.ip);
      const portNumbers = (subset.ports ?? []).map((p) => p.port);
      if (portNumbers.length === 0) return addresses;
      return portNumbers.flatMap((port) =>
        addresses.map((ip) => (ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`)),
      );
    });
    return shorten(list, NONE);
  }),
  ageColumn,
];

export const endpointSliceColumns: readonly Column[] = [
  nameColumn,
  cellOf<EndpointSlice>("AddressType", (slice) => slice.addressType),
  cellOf<EndpointSlice>("Ports", (slice) =>
    shorten(
      (slice.ports ?? []).map((p) => (p.port === undefined ? p.name || "*" : String(p.port))),
      UNSET,
    ),
  ),
  cellOf<EndpointSlice>("Endpoints", (slice) =>
    shorten(
      (slice.endpoints ?? []).flatMap((e) => e.addresses),
      UNSET,
    ),
  ),
  ageColumn,
];
