/** A proxy from an Envoy configuration on real sockets with port 0, an upstream made of answers, and a raw client; for tests. */
import { connect, createServer, type Server, type Socket } from "node:net";
import { type Clock, type Logger, silentLogger, systemClock } from "@argyle/core";
import { createRegistry } from "@argyle/telemetry";
import { type Bindings, bindListeners } from "../src/bindings.ts";
import { createTimerWheel } from "../src/io/timer-wheel.ts";
import { createProxy, type ProxyServer } from "../src/proxy.ts";
import { TYPE_URL } from "../src/resource-sink.ts";
import { createHostDialer } from "../src/upstream/dialer.ts";

export interface TestScope {
  after(fn: () => void): void;
}

export interface Harness {
  readonly proxy: ProxyServer;
  readonly bindings: Bindings;
  readonly logs: string[];
  port(listener?: string): number;
  apply(typeUrl: string, ...resources: readonly { readonly name: string; readonly [field: string]: unknown }[]): void;
}

export interface HarnessOverrides {
  readonly resolveName?: (name: string) => Promise<readonly string[]>;
  readonly onWarning?: Logger["warn"];
  readonly random?: () => number;
  /** Default: the system's. */
  readonly clock?: Clock;
}

export async function startProxy(
  scope: TestScope,
  resources: {
    readonly clusters: readonly { name: string; [field: string]: unknown }[];
    readonly listeners: readonly { name: string; [field: string]: unknown }[];
  },
  node: Readonly<Record<string, unknown>> = {},
  overrides: HarnessOverrides = {},
): Promise<Harness> {
  const logs: string[] = [];
  const clock = overrides.clock ?? systemClock;
  const wheel = createTimerWheel(clock);
  let ids = 0;
  const proxy = createProxy({
    clock,
    wheel,
    random: overrides.random ?? Math.random,
    uuid: () => `uuid-${++ids}`,
    log: overrides.onWarning === undefined ? silentLogger : { ...silentLogger, warn: overrides.onWarning },
    registry: createRegistry(),
    dialer: createHostDialer(),
    resolveName: overrides.resolveName ?? (async () => ["127.0.0.1"]),
    writeAccessLog: (_path, line) => void logs.push(line),
    node: { id: "test", cluster: "test", metadata: node },
  });
  let version = 0;
  const harness = {
    proxy,
    logs,
    apply(typeUrl: string, ...list: readonly { readonly name: string }[]) {
      version += 1;
      const upserts = list.map((resource) => ({ name: resource.name, version: String(version), resource }));
      const rejected = proxy.runtime.apply(typeUrl, upserts, []);
      if (rejected.length > 0) throw new Error(JSON.stringify(rejected));
    },
  };
  harness.apply(TYPE_URL.cluster, ...resources.clusters);
  harness.apply(TYPE_URL.listener, ...resources.listeners);
  const bindings = bindListeners(proxy);
  await bindings.settled();
  scope.after(() => {
    bindings.close();
    proxy.close();
    wheel.close();
  });
  return { ...harness, bindings, port: (listener = "main") => bindings.addressOf(listener)?.port ?? 0 };
}

/** An HTTP/1 upstream on raw bytes: `answer` sees all that came on the connection so far and may write. */
export function startUpstream(
  scope: TestScope,
  answer: (received: string, socket: Socket, connection: { bytes: string }) => void,
): Promise<{ readonly port: number; readonly received: string[]; connections(): number }> {
  const received: string[] = [];
  let count = 0;
  const open = new Set<Socket>();
  const server: Server = createServer((socket) => {
    count += 1;
    open.add(socket);
    const index = received.push("") - 1;
    const connection = { bytes: "" };
    socket.on("data", (chunk) => {
      received[index] += chunk.toString("latin1");
      connection.bytes += chunk.toString("latin1");
      answer(connection.bytes, socket, connection);
    });
    socket.on("error", () => undefined);
    socket.on("close", () => open.delete(socket));
  });
  scope.after(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      resolve({ port, received, connections: () => count });
    });
  });
}

/** Answers each complete request without body in turn. */
export function replying(response: string): (received: string, socket: Socket, connection: { bytes: string }) => void {
  return (received, socket, connection) => {
    let rest = received;
    for (let end = rest.indexOf("\r\n\r\n"); end !== -1; end = rest.indexOf("\r\n\r\n")) {
      rest = rest.slice(end + 4);
      socket.write(response, "latin1");
    }
    connection.bytes = rest;
  };
}

/** Sends text and gives back everything that comes until the connection ends or `until` is satisfied. */
export function exchange(
  port: number,
  text: string | readonly string[],
  until: (received: string) => boolean = () => false,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port });
    let received = "";
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`no end after 5 s: ${JSON.stringify(received)}`));
    }, 5000);
    const finish = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(received);
    };
    socket.on("data", (chunk) => {
      received += chunk.toString("latin1");
      if (until(received)) finish();
    });
    socket.on("end", finish);
    socket.on("error", (error) => {
      received += `<${(error as NodeJS.ErrnoException).code}>`;
      finish();
    });
    for (const piece of typeof text === "string" ? [text] : text) socket.write(piece, "latin1");
  });
}

const HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER = {
  name: "envoy.filters.http.router",
  typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
};

export function httpListener(
  routes: readonly object[],
  hcm: object = {},
  filters: readonly object[] = [],
  name = "main",
) {
  return {
    name,
    address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
    filter_chains: [
      {
        filters: [
          {
            name: "envoy.filters.network.http_connection_manager",
            typed_config: {
              "@type": HCM,
              stat_prefix: "ingress",
              route_config: { name: "local", virtual_hosts: [{ name: "all", domains: ["*"], routes }] },
              http_filters: [...filters, ROUTER],
              access_log: [
                {
                  name: "file",
                  typed_config: {
                    "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                    path: "/dev/stdout",
                    log_format: {
                      text_format_source: {
                        inline_string:
                          "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_REQUEST_ATTEMPT_COUNT% %REQ(:PATH)%\n",
                      },
                    },
                  },
                },
              ],
              ...hcm,
            },
          },
        ],
      },
    ],
  };
}

export function staticCluster(name: string, ports: readonly number[], extra: object = {}) {
  return {
    name,
    type: "STATIC",
    connect_timeout: "1s",
    load_assignment: {
      cluster_name: name,
      endpoints: [
        {
          lb_endpoints: ports.map((port) => ({
            endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: port } } },
          })),
        },
      ],
    },
    ...extra,
  };
}

export function bodyOf(response: string): string {
  return response.slice(response.indexOf("\r\n\r\n") + 4);
}
