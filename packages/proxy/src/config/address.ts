/** envoy.config.core.v3.Address and CidrRange. */
import { BlockList, isIP } from "node:net";
import type { Fields } from "./fields.ts";

export type Address =
  | { readonly kind: "ip"; readonly ip: string; readonly port: number }
  | { readonly kind: "pipe"; readonly path: string }
  | { readonly kind: "internal"; readonly listener: string };

export function compileAddress(fields: Fields | undefined, owner: Fields): Address {
  const socket = fields?.object("socket_address");
  if (socket !== undefined) return { kind: "ip", ip: socket.required("address"), port: socket.number("port_value", 0) };
  const pipe = fields?.object("pipe");
  if (pipe !== undefined) return { kind: "pipe", path: pipe.required("path") };
  const internal = fields?.object("envoy_internal_address");
  if (internal !== undefined) return { kind: "internal", listener: internal.string("server_listener_name") };
  owner.problem("address", "value is required");
  return { kind: "ip", ip: "0.0.0.0", port: 0 };
}

export function formatAddress(address: Address): string {
  switch (address.kind) {
    case "ip":
      return formatHostPort(address.ip, address.port);
    case "pipe":
      return address.path;
    case "internal":
      return `envoy://${address.listener}/`;
  }
}

export function formatHostPort(ip: string, port: number): string {
  return ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
}

export interface CidrRange {
  readonly prefixLength: number;
  contains(ip: string): boolean;
}

export function compileCidr(fields: Fields): CidrRange {
  const address = fields.required("address_prefix");
  const version = isIP(address);
  const prefixLength = fields.number("prefix_len", 0);
  const maxLength = version === 6 ? 128 : 32;
  if (version === 0 || prefixLength > maxLength) {
    fields.problem("", `invalid ip/mask combo '${address}/${prefixLength}'`);
    return { prefixLength, contains: () => false };
  }
  const list = new BlockList();
  const family = version === 6 ? "ipv6" : "ipv4";
  list.addSubnet(address, prefixLength, family);
  return {
    prefixLength,
    contains: (ip) => {
      const of = isIP(ip);
      return of === version && list.check(ip, family);
    },
  };
}
