/**
 * gRPC can only dial sockets of the host, istiod is in the pod network: so each istiod address gets a unix socket of ours, and whoever connects to it is
 * relayed to istiod by the pod network's dialer. The bytes stay TLS end to end.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { describeError, type Logger } from "@argyle/core";
import { type PodNetwork, relay } from "@argyle/pod-network";
import type { ConnectIstiod } from "../agent/istiod.ts";

export interface IstiodConnector {
  readonly connect: ConnectIstiod;
  close(): void;
}

const DIAL_TIMEOUT_MS = 5000;

/** `directory` is ours alone: what a worker that died left there is removed. */
export function createIstiodConnector(network: PodNetwork, log: Logger, directory: string): IstiodConnector {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const targets = new Map<string, Promise<string>>();
  const servers: Server[] = [];
  const open = (address: string, namespace: string): Promise<string> => {
    const colon = address.lastIndexOf(":");
    const host = address.slice(0, colon);
    const port = Number(address.slice(colon + 1));
    const onConnection = (socket: Socket) => {
      socket.on("error", () => undefined);
      network.dial({ host, port, namespace, timeoutMs: DIAL_TIMEOUT_MS }).then(
        (upstream) => {
          upstream.on("error", () => undefined);
          relay(socket, upstream).catch((error: unknown) =>
            log.debug("istiod relay ended", { error: describeError(error) }),
          );
        },
        (error: unknown) => {
          log.debug("cannot reach istiod", { address, error: describeError(error) });
          socket.destroy();
        },
      );
    };
    const server = createServer({ allowHalfOpen: true }, onConnection);
    servers.push(server);
    const path = join(directory, `${randomBytes(4).toString("hex")}.sock`);
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, () => resolve(`unix:${path}`));
    });
  };
  return {
    connect(address, namespace) {
      const key = `${address} ${namespace}`;
      let target = targets.get(key);
      if (target === undefined) {
        target = open(address, namespace);
        targets.set(key, target);
        // A failed attempt is not remembered: the agent tries again.
        target.catch(() => targets.delete(key));
      }
      return target;
    },
    close() {
      for (const server of servers) server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
