/**
 * The streaming requests of the kubelet API: chooses the carrier from the Upgrade header and the subprotocol, then what runs on it.
 *   SPDY/3.1                                exec, attach, port-forward of kubectl up to 1.29
 *   websocket v5|v4.channel.k8s.io          exec, attach of kubectl since 1.30; port-forward of other clients
 *   websocket SPDY/3.1+portforward.k8s.io   port-forward of kubectl since 1.31: SPDY bytes in binary messages
 * A request that cannot be met is refused before 101; after it, failures travel in the session's Status.
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { createWebSocketStream, type WebSocket, WebSocketServer } from "ws";
import { type DialPod, forwardOverChannels, forwardOverSpdy } from "./port-forward.ts";
import { parseStreamRequest, type RemoteSession } from "./remote-session.ts";
import { acceptSpdySession } from "./spdy-session.ts";
import { acceptWebSocketSession } from "./websocket-session.ts";

export interface StreamTarget {
  readonly kind: "exec" | "attach" | "portForward";
  readonly namespace: string;
  readonly pod: string;
  /** Empty for portForward. */
  readonly container: string;
  readonly query: URLSearchParams;
}

export interface StreamHandlers {
  /** Why the target can't be had, with the status to answer; undefined when it can. */
  refuse(target: StreamTarget): { readonly code: number; readonly message: string } | undefined;
  session(target: StreamTarget, session: RemoteSession): void;
  dial(target: StreamTarget): DialPod;
}

export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => boolean;

const TUNNEL = "SPDY/3.1+portforward.k8s.io";
const CHANNELS = ["v5.channel.k8s.io", "v4.channel.k8s.io"];
const SPDY_EXEC = ["v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io"];

export function createUpgradeListener(handlers: StreamHandlers): UpgradeListener {
  const channels = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    handleProtocols: (offered) => CHANNELS.find((name) => offered.has(name)) ?? false,
  });
  // "/" is no character of a token, so ws would refuse this subprotocol: it is taken out of the request and put into the answer.
  const tunnels = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  tunnels.on("headers", (headers) => void headers.push(`Sec-WebSocket-Protocol: ${TUNNEL}`));

  return (request, socket, head) => {
    const target = parseTarget(request.url ?? "/");
    if (target === undefined) return false;
    const refusal = handlers.refuse(target);
    if (refusal !== undefined) {
      refuse(socket, refusal.code, refusal.message);
      return true;
    }
    const upgrade = (request.headers.upgrade ?? "").toLowerCase();
    if (upgrade === "spdy/3.1") acceptPlainSpdy(target, request, socket, head, handlers);
    else if (upgrade !== "websocket") refuse(socket, 400, "unable to upgrade: only SPDY/3.1 and websocket are served");
    else if (protocolsOf(request, "sec-websocket-protocol").includes(TUNNEL)) {
      delete request.headers["sec-websocket-protocol"];
      tunnels.handleUpgrade(request, socket, head, (ws) => forwardOverSpdy(asStream(ws), handlers.dial(target)));
    } else {
      channels.handleUpgrade(request, socket, head, (ws) => {
        if (target.kind === "portForward") forwardOverChannels(ws, portsOf(target.query), handlers.dial(target));
        else handlers.session(target, acceptWebSocketSession(ws, parseStreamRequest(target.query)));
      });
    }
    return true;
  };
}

function acceptPlainSpdy(
  target: StreamTarget,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  handlers: StreamHandlers,
): void {
  const offered = protocolsOf(request, "x-stream-protocol-version");
  const known = target.kind === "portForward" ? ["portforward.k8s.io"] : SPDY_EXEC;
  const chosen = known.find((name) => offered.includes(name));
  if (chosen === undefined) {
    refuse(socket, 403, `unable to upgrade: none of ${offered.join(", ")} is served; known are ${known.join(", ")}`);
    return;
  }
  const lines = ["Connection: Upgrade", "Upgrade: SPDY/3.1", `X-Stream-Protocol-Version: ${chosen}`];
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("\r\n")}\r\n\r\n`);
  if (head.length > 0) socket.unshift(head);
  if (target.kind === "portForward") forwardOverSpdy(socket, handlers.dial(target));
  else {
    acceptSpdySession(socket, parseStreamRequest(target.query), (session) => handlers.session(target, session));
  }
}

function asStream(ws: WebSocket): Duplex {
  const stream = createWebSocketStream(ws);
  stream.on("error", () => ws.terminate());
  return stream;
}

function parseTarget(url: string): StreamTarget | undefined {
  const { pathname, searchParams } = new URL(url, "https://kubelet");
  const [kind, namespace = "", pod = "", container = ""] = pathname.slice(1).split("/").map(decodeURIComponent);
  if (kind !== "exec" && kind !== "attach" && kind !== "portForward") return undefined;
  return { kind, namespace, pod, container, query: searchParams };
}

/** A header that may be given several times, and with commas. */
function protocolsOf(request: IncomingMessage, name: string): readonly string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    if (request.rawHeaders[i]?.toLowerCase() !== name) continue;
    values.push(...(request.rawHeaders[i + 1] ?? "").split(",").map((value) => value.trim()));
  }
  return values;
}

function portsOf(query: URLSearchParams): readonly number[] {
  return query
    .getAll("ports")
    .flatMap((text) => text.split(","))
    .map(Number)
    .filter((port) => Number.isInteger(port) && port > 0 && port < 65_536);
}

function refuse(socket: Duplex, code: number, message: string): void {
  const reason = code === 404 ? "NotFound" : code === 403 ? "Forbidden" : "BadRequest";
  const body = JSON.stringify({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason,
    code,
  });
  socket.end(
    `HTTP/1.1 ${code} ${reason}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
