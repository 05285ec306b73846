/**
 * The private names of Node that the preload stands on, in one place, with a check that says clearly which one is gone.
 * Measured on Node 20, 22 and 24. Public functions (tls.connect, dns.lookup, fs, spawnSync) need no check.
 */
import { ChildProcess } from "node:child_process";
import net from "node:net";

export interface PeerAddress {
  readonly address?: string;
  readonly port?: number;
  readonly family?: string;
}

/** [options, callback] as Node's own connect() and listen() pass it on, marked with a private symbol. */
export type NormalizedArgs = [Record<string, unknown>, ((...args: unknown[]) => void) | null];

export interface PrivateNode {
  normalizeArgs(args: unknown[]): NormalizedArgs;
  /** True for an array that normalizeArgs made. */
  isNormalized(value: unknown): value is NormalizedArgs;
  readonly spawnPrototype: { spawn(options: Record<string, unknown>): unknown };
  readonly socketPrototype: {
    connect(...args: unknown[]): net.Socket;
    _getpeername(): PeerAddress;
    _getsockname(): PeerAddress;
  };
  readonly serverPrototype: {
    listen(...args: unknown[]): net.Server;
    address(): net.AddressInfo | string | null;
  };
}

/** Throws with the name that is missing: a pod must not start half captured. */
export function privateNode(): PrivateNode {
  const normalizeArgs = functionAt(net, "_normalizeArgs", "net._normalizeArgs");
  const sample: unknown = normalizeArgs.call(net, [{ port: 1 }]);
  const mark = Array.isArray(sample) ? Object.getOwnPropertySymbols(sample)[0] : undefined;
  if (mark === undefined) throw missing("the mark of net._normalizeArgs");
  functionAt(net.Socket.prototype, "_getpeername", "net.Socket.prototype._getpeername");
  functionAt(net.Socket.prototype, "_getsockname", "net.Socket.prototype._getsockname");
  functionAt(ChildProcess.prototype, "spawn", "ChildProcess.prototype.spawn");
  // The three checks above are what these casts rely on.
  return {
    normalizeArgs: (args) => normalizeArgs.call(net, args) as NormalizedArgs,
    isNormalized: (value): value is NormalizedArgs => Array.isArray(value) && mark in value,
    spawnPrototype: ChildProcess.prototype as unknown as PrivateNode["spawnPrototype"],
    socketPrototype: net.Socket.prototype as unknown as PrivateNode["socketPrototype"],
    serverPrototype: net.Server.prototype as unknown as PrivateNode["serverPrototype"],
  };
}

function functionAt(owner: object, key: string, name: string): (...args: unknown[]) => unknown {
  const value: unknown = Reflect.get(owner, key);
  if (typeof value !== "function") throw missing(name);
  return value as (...args: unknown[]) => unknown;
}

function missing(name: string): Error {
  return new Error(
    `argyle preload: Node ${process.version} has no ${name}, so connections of this pod cannot be captured; ` +
      "use Node 20.19 or later of the 20, 22 or 24 line",
  );
}
