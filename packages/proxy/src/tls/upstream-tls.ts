/** The client side of TLS: one per TlsConfig, sharing a cached SecureContext, with Envoy's SAN matching instead of host name checks. */
import { isIP, type Socket } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { MeshError } from "@argyle/core";
import type { TlsConfig } from "../config/tls-config.ts";
import { peerProblem } from "./peer-check.ts";
import { type SecretStore, uriSan } from "./secret-store.ts";

export interface SecuredSocket {
  readonly socket: TLSSocket;
  readonly peerPrincipal: string | undefined;
  readonly alpn: string | undefined;
}

export interface UpstreamTls {
  /** What is offered without an override. */
  readonly alpn: readonly string[];
  /** Runs the handshake over a connected socket. `alpn` overrides the configured protocols. */
  secure(socket: Socket, alpn: readonly string[] | undefined, timeoutMs: number): Promise<SecuredSocket>;
}

/** A server name that each request brings along (auto_sni), and whether the peer must bear it (auto_san_validation). */
export interface RequestedName {
  readonly host: string;
  readonly isChecked: boolean;
}

export function createUpstreamTls(tls: TlsConfig, secrets: SecretStore, requested?: RequestedName): UpstreamTls {
  const serverName = requested !== undefined && isIP(requested.host) === 0 ? requested.host : tls.sni;
  const checkedHost = requested?.isChecked === true ? requested.host : undefined;
  return {
    alpn: tls.alpn,
    secure(socket, alpn, timeoutMs) {
      return new Promise((resolve, reject) => {
        const cached = secrets.clientContextOf(tls);
        if (cached === undefined) {
          reject(new MeshError("Secret is not supplied by SDS", { code: "proxy.tls.secret-missing" }));
          return;
        }
        const protocols = alpn ?? tls.alpn;
        const secured = connect({
          socket,
          secureContext: cached.context,
          rejectUnauthorized: cached.hasValidation,
          // With the certificate in hand, once the handshake is done: Node's short form of it lacks what is asked for here.
          checkServerIdentity: () => undefined,
          ...(serverName === "" ? {} : { servername: serverName }),
          ...(protocols.length === 0 ? {} : { ALPNProtocols: [...protocols] }),
        });
        const timer = setTimeout(() => {
          secured.destroy();
          reject(
            new MeshError("TLS handshake timeout", { code: "proxy.upstream.connect-timeout", origin: "upstream" }),
          );
        }, timeoutMs);
        const onError = (error: Error) => {
          clearTimeout(timer);
          reject(error);
        };
        const onClose = () => onError(new Error("connection closed during handshake"));
        secured.once("error", onError);
        secured.once("close", onClose);
        secured.once("secureConnect", () => {
          clearTimeout(timer);
          secured.off("error", onError);
          secured.off("close", onClose);
          const certificate = secured.getPeerX509Certificate();
          const refusal = certificate === undefined ? undefined : peerProblem(tls, certificate, checkedHost);
          if (cached.hasValidation && (certificate === undefined || refusal !== undefined)) {
            secured.destroy();
            reject(new Error(refusal ?? "CERTIFICATE_VERIFY_FAILED: no certificate"));
            return;
          }
          const peerPrincipal = uriSan(certificate?.subjectAltName);
          const chosen = secured.alpnProtocol;
          resolve({ socket: secured, peerPrincipal, alpn: typeof chosen === "string" ? chosen : undefined });
        });
      });
    },
  };
}
