/**
 * listen(port) of a program binds `<podDir>/<port>.sock`. No file is removed beforehand: a second listener must get EADDRINUSE, and
 * cluster workers share the primary's socket (they and the primary both come through here; a path is never rewritten again).
 * A socket file that nobody accepts on any more, left by a container that was killed, is removed after the failed bind and tried once.
 * Listening on port 0, a path, a descriptor or a handle is left alone.
 */
import { unlinkSync } from "node:fs";
import net, { type Server } from "node:net";
import { join } from "node:path";
import { capturedServers } from "./captured.ts";
import type { PreloadConfig } from "./config.ts";
import type { PrivateNode } from "./private-node.ts";
import { familyOf } from "./route.ts";

export function patchListen(config: PreloadConfig, node: PrivateNode): void {
  const listenAsNode = node.serverPrototype.listen;
  const addressAsNode = node.serverPrototype.address;

  node.serverPrototype.listen = function listen(this: Server, ...args: unknown[]): Server {
    const [options, callback] = node.isNormalized(args[0]) ? args[0] : node.normalizeArgs(args);
    const port = Number(options.port);
    const isOurs = isPort(options.port) && !options.path && options.fd === undefined && !isHandle(args[0]);
    if (!isOurs) return Reflect.apply(listenAsNode, this, args);
    const path = join(config.podDir, `${port}.sock`);
    const host = typeof options.host === "string" && options.host !== "" ? options.host : "::";
    capturedServers.set(this, { path, address: host === "localhost" ? "127.0.0.1" : host, port });
    const unixOptions = {
      path,
      backlog: numberOf(options.backlog) ?? numberOf(args[1]) ?? numberOf(args[2]) ?? 511,
      ...(options.exclusive === undefined ? {} : { exclusive: options.exclusive }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    };
    const retry = () => listenAsNode.call(this, unixOptions);
    sayErrorsAsTcp(this, path, host, port, retry);
    return callback === null ? listenAsNode.call(this, unixOptions) : listenAsNode.call(this, unixOptions, callback);
  };

  node.serverPrototype.address = function address(this: Server) {
    const known = capturedServers.get(this);
    const actual = addressAsNode.call(this);
    // After the server was closed, or listens elsewhere by now, Node's answer is the right one.
    if (known === undefined || actual !== known.path) return actual;
    return { address: known.address, family: familyOf(known.address), port: known.port };
  };
}

/** `listen EADDRINUSE: address already in use :::80`, after one look whether the other listener is alive. */
function sayErrorsAsTcp(server: Server, path: string, host: string, port: number, retry: () => void): void {
  const emitAsNode = server.emit;
  let mayRetry = true;
  const emit = (name: string | symbol, ...args: unknown[]): boolean =>
    Reflect.apply(emitAsNode, server, [name, ...args]);
  const isBindError = (error: unknown): error is Error =>
    error instanceof Error && "syscall" in error && error.syscall === "listen" && "code" in error;

  Object.assign(server, {
    emit(name: string | symbol, ...args: unknown[]): boolean {
      const [error] = args;
      if (name !== "error" || !isBindError(error)) return emit(name, ...args);
      const report = () => {
        error.message = error.message.replace(path, `${host}:${port}`);
        Object.assign(error, { address: host, port });
        return emit("error", error);
      };
      if (Reflect.get(error, "code") !== "EADDRINUSE" || !mayRetry) return report();
      mayRetry = false;
      const probe = net.connect({ path });
      probe.once("connect", () => {
        probe.destroy();
        report();
      });
      probe.once("error", (refused: NodeJS.ErrnoException) => {
        if (refused.code !== "ECONNREFUSED" && refused.code !== "ENOENT") {
          report();
          return;
        }
        if (refused.code === "ECONNREFUSED") unlinkSync(path);
        retry();
      });
      return true;
    },
  });
}

function isPort(value: unknown): boolean {
  const port = typeof value === "number" ? value : typeof value === "string" && value.trim() !== "" ? Number(value) : 0;
  return Number.isInteger(port) && port > 0 && port < 65_536;
}

function isHandle(value: unknown): boolean {
  return typeof value === "object" && value !== null && ("_handle" in value || "handle" in value || "fd" in value);
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" && value >= 0 ? value : undefined;
}
