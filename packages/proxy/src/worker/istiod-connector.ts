/**
 * gRPC can only dial sockets of the host, istiod is in the pod network: so each istiod address gets a unix socket of ours, and whoever connects to it is
 * relayed to istiod by the pod network's dialer. The bytes stay TLS end to end.
 * While nothing listens there, whoever asks for the socket waits: one dial every moment for all agents of the worker finds out when istiod is back, where
 * each agent's own back-off would have it wait for seconds more.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { type Clock, describeError, type Logger, MeshError, sleep } from "@argyle/core";
import { type PodNetwork, relay } from "@argyle/pod-network";
import type { ConnectIstiod } from "../agent/istiod.ts";

export interface IstiodConnector {
  readonly connect: ConnectIstiod;
  close(): void;
}

export interface IstiodConnectorOptions {
  readonly network: PodNetwork;
  readonly clock: Clock;
  readonly log: Logger;
  /** Ours alone: what a worker that died left there is removed. */
  readonly directory: string;
}

interface Target {
  /** `unix:<path>` */
  readonly socket: Promise<string>;
  /** Resolves when istiod was reached; replaced when it is not reached any more. */
  reached: Promise<void> | undefined;
}

const DIAL_TIMEOUT_MS = 5000;
/** A dial to a socket that does not exist costs some microseconds. */
const DIAL_AGAIN_MS = 50;

export function createIstiodConnector({ network, clock, log, directory }: IstiodConnectorOptions): IstiodConnector {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const targets = new Map<string, Target>();
  const servers: Server[] = [];
  const closing = new AbortController();
  const dial = (address: string, namespace: string): Promise<Socket> => {
    const colon = address.lastIndexOf(":");
    const host = address.slice(0, colon);
    return network.dial({ host, port: Number(address.slice(colon + 1)), namespace, timeoutMs: DIAL_TIMEOUT_MS });
  };

  const open = (address: string, namespace: string, onUnreachable: () => void): Promise<string> => {
    const onConnection = (socket: Socket) => {
      socket.on("error", () => undefined);
      dial(address, namespace).then(
        (upstream) => {
          upstream.on("error", () => undefined);
          relay(socket, upstream).catch((error: unknown) =>
            log.debug("istiod relay ended", { error: describeError(error) }),
          );
        },
        (error: unknown) => {
          log.debug("cannot reach istiod", { address, error: describeError(error) });
          onUnreachable();
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

  const reach = async (address: string, namespace: string): Promise<void> => {
    let isTold = false;
    for (;;) {
      closing.signal.throwIfAborted();
      try {
        (await dial(address, namespace)).destroy();
        if (isTold) log.info("istiod listens", { address });
        return;
      } catch (error) {
        if (!isTold) log.info("istiod does not listen yet", { address, error: describeError(error) });
        isTold = true;
      }
      await sleep(clock, DIAL_AGAIN_MS, closing.signal);
    }
  };

  const targetOf = (address: string, namespace: string): Target => {
    const key = `${address} ${namespace}`;
    const known = targets.get(key);
    if (known !== undefined) return known;
    const target: Target = {
      socket: open(address, namespace, () => {
        target.reached = undefined;
      }),
      reached: undefined,
    };
    targets.set(key, target);
    // A failed attempt is not remembered: the agent tries again.
    target.socket.catch(() => targets.delete(key));
    return target;
  };

  return {
    async connect(address, namespace) {
      const target = targetOf(address, namespace);
      const socket = await target.socket;
      target.reached ??= reach(address, namespace);
      await target.reached;
      return socket;
    },
    close() {
      closing.abort(new MeshError("the worker is ending", { code: "proxy.agent.closed" }));
      for (const server of servers) server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
