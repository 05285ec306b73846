/** GET (or another method without body) over the pod network, for the CLI's questions to istiod and the proxies. */
import { request } from "node:http";
import { MeshError } from "@argyle/core";
import type { PodNetwork } from "@argyle/pod-network";

const TIMEOUT_MS = 5000;

export function fetchOverPodNetwork(
  network: PodNetwork,
  ip: string,
  port: number,
  path: string,
  method = "GET",
): Promise<string> {
  return new Promise((resolve, reject) => {
    const where = `http://${ip}:${port}${path}`;
    const fail = (cause: unknown) =>
      reject(new MeshError(`${where} does not answer`, { code: "pod.unreachable", cause }));
    const outgoing = request(
      { socketPath: network.socketPath(ip, port), path, method, timeout: TIMEOUT_MS, agent: false },
      (incoming) => {
        incoming.setEncoding("utf8");
        let body = "";
        incoming.on("data", (chunk: string) => {
          body += chunk;
        });
        incoming.on("end", () =>
          incoming.statusCode === 200 ? resolve(body) : fail(`status ${incoming.statusCode}: ${body.slice(0, 200)}`),
        );
        incoming.on("error", fail);
      },
    );
    outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    outgoing.on("error", fail);
    outgoing.end();
  });
}
