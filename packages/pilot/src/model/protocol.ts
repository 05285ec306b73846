/**
 * Protocol selection of a service port: appProtocol first, then the port's name up to the first dash, then the port number for protocols
 * in which the server speaks first; what remains is sniffed. Spec: istio.io, Protocol Selection.
 */
export type Protocol =
  | "HTTP"
  | "HTTP2"
  | "GRPC"
  | "GRPC-Web"
  | "HTTPS"
  | "TLS"
  | "TCP"
  | "Mongo"
  | "Redis"
  | "MySQL"
  | "UDP"
  /** Unknown: decided per connection. */
  | "Auto";

const BY_NAME: Readonly<Record<string, Protocol>> = {
  http: "HTTP",
  http2: "HTTP2",
  h2c: "HTTP2",
  grpc: "GRPC",
  "grpc-web": "GRPC-Web",
  https: "HTTPS",
  tls: "TLS",
  tcp: "TCP",
  mongo: "Mongo",
  redis: "Redis",
  mysql: "MySQL",
  udp: "UDP",
};

const BY_APP_PROTOCOL: Readonly<Record<string, Protocol>> = {
  "kubernetes.io/h2c": "HTTP2",
  "kubernetes.io/ws": "HTTP",
  "kubernetes.io/wss": "HTTPS",
  "istio.io/tcp": "TCP",
};

/** SMTP, DNS, MySQL, MongoDB. */
const SERVER_FIRST_PORTS: ReadonlySet<number> = new Set([25, 53, 3306, 27017]);

export function selectProtocol(port: {
  readonly port: number;
  readonly name?: string | undefined;
  readonly appProtocol?: string | undefined;
  readonly protocol?: string | undefined;
}): Protocol {
  if (port.protocol === "UDP") return "UDP";
  const declared = port.appProtocol?.toLowerCase();
  if (declared !== undefined) return BY_APP_PROTOCOL[declared] ?? BY_NAME[declared] ?? "Auto";
  const name = (port.name ?? "").toLowerCase();
  if (name === "grpc-web" || name.startsWith("grpc-web-")) return "GRPC-Web";
  const dash = name.indexOf("-");
  const known = BY_NAME[dash === -1 ? name : name.slice(0, dash)];
  if (known !== undefined) return known;
  return SERVER_FIRST_PORTS.has(port.port) ? "TCP" : "Auto";
}

/** A protocol named in ServiceEntry.ports, Gateway.servers or Sidecar.ingress; unnamed or unknown text is sniffed. */
export function parseProtocol(text: string | undefined, port: number): Protocol {
  const known = BY_NAME[(text ?? "").toLowerCase()];
  if (known !== undefined) return known;
  return SERVER_FIRST_PORTS.has(port) ? "TCP" : "Auto";
}

export function isHttp(protocol: Protocol): boolean {
  return protocol === "HTTP" || protocol === "HTTP2" || protocol === "GRPC" || protocol === "GRPC-Web";
}

export function isHttp2(protocol: Protocol): boolean {
  return protocol === "HTTP2" || protocol === "GRPC" || protocol === "GRPC-Web";
}

export function isTls(protocol: Protocol): boolean {
  return protocol === "HTTPS" || protocol === "TLS";
}
