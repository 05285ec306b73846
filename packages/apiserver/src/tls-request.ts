/** TLS over a stream that `dialService` opened: to webhooks and to the kubelet API. Every connection has one owner and one end. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { connect, type TLSSocket } from "node:tls";
import { MeshError } from "@argyle/core";
import type { DialService } from "./options.ts";
import type { KeyPair } from "./pki.ts";

export interface TlsTarget {
  readonly host: string;
  readonly port: number;
  /** Name that the certificate must be good for. */
  readonly serverName: string;
  /** PEM; undefined for the public roots. */
  readonly caPem: string | undefined;
  readonly client?: KeyPair;
}

export async function dialTls(dial: DialService, target: TlsTarget, signal: AbortSignal): Promise<TLSSocket> {
  const stream = await abortable(dial(target.host, target.port), signal);
  return new Promise((resolve, reject) => {
    const isIp = /^[\d.]+$|:/.test(target.serverName);
    const socket = connect({
      socket: stream,
      ...(isIp ? { host: target.serverName } : { servername: target.serverName, host: target.serverName }),
      ...(target.caPem === undefined ? {} : { ca: target.caPem }),
      ...(target.client === undefined ? {} : { cert: target.client.certPem, key: target.client.keyPem }),
      ALPNProtocols: ["http/1.1"],
    });
    const onAbort = () => socket.destroy(new MeshError("timed out", { code: "apiserver.dial.timeout" }));
    const settle = () => signal.removeEventListener("abort", onAbort);
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("secureConnect", () => {
      settle();
      socket.off("error", reject);
      resolve(socket);
    });
    socket.once("error", (error) => {
      settle();
      stream.destroy();
      reject(error);
    });
    if (signal.aborted) onAbort();
  });
}

export async function readText(response: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    const bytes: Buffer = Buffer.from(chunk);
    size += bytes.length;
    if (size > maxBytes)
      throw new MeshError(`the answer is larger than ${maxBytes} bytes`, { code: "apiserver.too-large" });
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function abortable(dialing: Promise<Duplex>, signal: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(new MeshError("timed out", { code: "apiserver.dial.timeout" }));
    signal.addEventListener("abort", onAbort, { once: true });
    dialing.then(
      (stream) => {
        signal.removeEventListener("abort", onAbort);
        if (signal.aborted) stream.destroy();
        else resolve(stream);
      },
      (error) => {
        signal.removeEventListener("abort", onAbort);
        reject(error);
      },
    );
    if (signal.aborted) onAbort();
  });
}
