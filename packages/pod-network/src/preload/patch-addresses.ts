/**
 * remoteAddress and localAddress of redirected sockets. The getters of net.Socket cannot be redefined, but they ask _getpeername and
 * _getsockname (express's req.ip and rate limiters break on `undefined`). resetAndDestroy, which Node refuses on unix sockets, works too.
 */
import net, { type Server, type Socket } from "node:net";
import { resetSocket } from "../reset.ts";
import { type CapturedSocket, capturedServers, capturedSockets, nextEphemeralPort } from "./captured.ts";
import type { PreloadConfig } from "./config.ts";
import type { PeerAddress, PrivateNode } from "./private-node.ts";
import { familyOf } from "./route.ts";

/** As Istio's sidecar dials the program. */
const INBOUND_PEER = "127.0.0.6";

export function patchAddresses(config: PreloadConfig, node: PrivateNode): void {
  const peerAsNode = node.socketPrototype._getpeername;
  const localAsNode = node.socketPrototype._getsockname;
  const knownOf = (socket: Socket): CapturedSocket | undefined => {
    const known = capturedSockets.get(socket);
    if (known !== undefined) return known;
    const parent: unknown = Reflect.get(socket, "_parent");
    if (parent instanceof net.Socket) return knownOf(parent);
    const server: unknown = Reflect.get(socket, "server") ?? Reflect.get(socket, "_server");
    const listening = server instanceof net.Server ? capturedServers.get(server as Server) : undefined;
    if (listening === undefined) return undefined;
    const accepted = {
      local: { ip: config.podIP, port: listening.port },
      peer: { ip: INBOUND_PEER, port: nextEphemeralPort() },
    };
    capturedSockets.set(socket, accepted);
    return accepted;
  };

  node.socketPrototype._getpeername = function getpeername(this: Socket): PeerAddress {
    const known = knownOf(this);
    if (known === undefined) return peerAsNode.call(this);
    return this.connecting ? {} : { address: known.peer.ip, port: known.peer.port, family: familyOf(known.peer.ip) };
  };
  node.socketPrototype._getsockname = function getsockname(this: Socket): PeerAddress {
    const known = knownOf(this);
    if (known === undefined) return localAsNode.call(this);
    return { address: known.local.ip, port: known.local.port, family: "IPv4" };
  };

  const resetAsNode = net.Socket.prototype.resetAndDestroy;
  Object.assign(net.Socket.prototype, {
    resetAndDestroy(this: Socket): Socket {
      if (knownOf(this) === undefined) return resetAsNode.call(this);
      capturedReset(this, resetAsNode);
      return this;
    },
  });
}

/** resetSocket would come back here through socket.resetAndDestroy, so Node's own method is put in front of it. */
function capturedReset(socket: Socket, resetAsNode: () => Socket): void {
  Object.defineProperty(socket, "resetAndDestroy", { configurable: true, value: resetAsNode });
  resetSocket(socket);
}
