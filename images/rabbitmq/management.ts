/**
 * The part of RabbitMQ's management API that monitoring reads: GET /api/overview, queues, exchanges, bindings, connections, channels, consumers, nodes,
 * whoami, vhosts, aliveness. Field names as RabbitMQ's; what this broker has no equivalent of (Erlang processes, gc) is left out, not invented.
 */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Authenticate } from "./broker/authentication.ts";
import {
  bindingViews,
  channelViews,
  connectionViews,
  consumerViews,
  exchangeViews,
  nodeView,
  overview,
  queueViews,
} from "./management-views.ts";
import type { RabbitServer } from "./server.ts";

export interface ManagementOptions {
  readonly authenticate: Authenticate;
  readonly nodeName: string;
}

interface Answer {
  readonly status: number;
  readonly json: unknown;
}

const NOT_FOUND: Answer = { status: 404, json: { error: "Object Not Found", reason: "Not Found" } };

export function createManagement(rabbit: RabbitServer, options: ManagementOptions): Server {
  return createServer((incoming, outgoing) => {
    const login = readBasic(incoming);
    const isKnown = login !== undefined && options.authenticate(login.user, login.password);
    const answer: Answer = isKnown
      ? answerTo(incoming, rabbit, options.nodeName, login.user)
      : {
          status: 401,
          json: { error: "not_authorised", reason: login === undefined ? "Access refused." : "Login failed" },
        };
    const body = JSON.stringify(answer.json);
    incoming.resume();
    outgoing.writeHead(answer.status, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      "cache-control": "no-cache",
      ...(answer.status === 401 ? { "www-authenticate": 'Basic realm="RabbitMQ Management"' } : {}),
    });
    outgoing.end(incoming.method === "HEAD" ? undefined : body);
  });
}

function answerTo(incoming: IncomingMessage, rabbit: RabbitServer, node: string, user: string): Answer {
  const { pathname } = new URL(incoming.url ?? "/", "http://management");
  if (incoming.method !== "GET" && incoming.method !== "HEAD")
    return { status: 405, json: { error: "Method Not Allowed", reason: "this management API only reads" } };
  const parts = pathname.split("/").filter((part) => part !== "");
  const [api, kind = "", vhost, name] = parts.map(decode);
  if (api !== "api" || (vhost !== undefined && kind !== "nodes" && vhost !== "/")) return NOT_FOUND;
  const list = listOf(kind, rabbit, node);
  if (list !== undefined) {
    const key = kind === "nodes" ? vhost : name;
    if (key === undefined) return { status: 200, json: list };
    const found = list.find((each) => "name" in each && each.name === key);
    return found === undefined ? NOT_FOUND : { status: 200, json: found };
  }
  switch (kind) {
    case "overview":
      return { status: 200, json: overview(rabbit, node) };
    case "whoami":
      return { status: 200, json: { name: user, tags: ["administrator"] } };
    case "vhosts":
      return { status: 200, json: [{ name: "/", cluster_state: { [node]: "running" } }] };
    case "aliveness-test":
      return rabbit.isAlarmed()
        ? { status: 503, json: { status: "failed", reason: "memory alarm" } }
        : { status: 200, json: { status: "ok" } };
    default:
      return NOT_FOUND;
  }
}

function listOf(kind: string, rabbit: RabbitServer, node: string): readonly object[] | undefined {
  switch (kind) {
    case "queues":
      return queueViews(rabbit, node);
    case "exchanges":
      return exchangeViews(rabbit);
    case "bindings":
      return bindingViews(rabbit);
    case "connections":
      return connectionViews(rabbit, node);
    case "channels":
      return channelViews(rabbit, node);
    case "consumers":
      return consumerViews(rabbit);
    case "nodes":
      return [nodeView(rabbit, node)];
    default:
      return undefined;
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function readBasic(incoming: IncomingMessage): { readonly user: string; readonly password: string } | undefined {
  const match = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(incoming.headers.authorization ?? "");
  const [user, ...rest] = Buffer.from(match?.[1] ?? "", "base64")
    .toString("utf8")
    .split(":");
  return match === null || user === undefined || rest.length === 0 ? undefined : { user, password: rest.join(":") };
}
