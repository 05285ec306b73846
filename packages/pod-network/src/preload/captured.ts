/**
 * What the preload knows of sockets it has redirected. Programs see pod addresses: the peer that was asked for, 127.0.0.6 as the
 * peer of accepted connections (Istio's inbound passthrough address) and the pod's own IP on our side.
 */
import type { Server, Socket } from "node:net";
import type { Endpoint } from "../proxy-protocol.ts";

export interface CapturedSocket {
  readonly local: Endpoint;
  readonly peer: Endpoint;
  /** Known to who accepted the connection; see reset.ts. */
  readonly resetToken?: string;
}

export interface CapturedServer {
  readonly path: string;
  readonly address: string;
  readonly port: number;
}

export const capturedSockets = new WeakMap<Socket, CapturedSocket>();
export const capturedServers = new WeakMap<Server, CapturedServer>();

const FIRST_EPHEMERAL_PORT = 32_768;
const EPHEMERAL_PORTS = 28_232;
let lastPort = process.pid % EPHEMERAL_PORTS;

/** A source port as the kernel would have picked one. Nobody dials it: it only tells connections apart. */
export function nextEphemeralPort(): number {
  lastPort = (lastPort + 1) % EPHEMERAL_PORTS;
  return FIRST_EPHEMERAL_PORT + lastPort;
}
