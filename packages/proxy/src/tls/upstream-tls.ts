/** The client side of TLS: one per TlsConfig, sharing a cached SecureContext, with Envoy's SAN matching instead of host name checks. */
import type { Socket } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { MeshError } from "@argyle/core";
import type { SanMatcher, TlsConfig } from "../config/tls-config.ts";
import { hasUnreadableName, type SanEntry, type SecretStore, sanEntries, uriSan } from "./secret-store.ts";

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

export function createUpstreamTls(tls: TlsConfig, secrets: SecretStore): UpstreamTls {
  return {
    alpn: tls.alpn,
    secure(socket, alpn, timeoutMs) {
      return new Promise((resolve, reject) => {
        const cached = secrets.contextOf(tls);
        if (cached === undefined) {
          reject(new MeshError("Secret is not supplied by SDS", { code: "proxy.tls.secret-missing" }));
          return;
        }
        const protocols = alpn ?? tls.alpn;
        const secured = connect({
          socket,
          secureContext: cached.context,
          rejectUnauthorized: cached.hasValidation,
          checkServerIdentity: (_host, certificate) => {
            const names = certificate.subjectaltname;
            const isAllowed = !hasUnreadableName(names) && matchesSan(tls.sanMatchers, sanEntries(names));
            return isAllowed ? undefined : new Error("CERTIFICATE_VERIFY_FAILED: verify SAN list");
          },
          ...(tls.sni === "" ? {} : { servername: tls.sni }),
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
          const peerPrincipal = uriSan(secured.getPeerX509Certificate()?.subjectAltName);
          const chosen = secured.alpnProtocol;
          resolve({ socket: secured, peerPrincipal, alpn: typeof chosen === "string" ? chosen : undefined });
        });
      });
    },
  };
}

/** Without matchers every certificate of the trusted roots is good, as in Envoy. */
export function matchesSan(matchers: readonly SanMatcher[], names: readonly SanEntry[]): boolean {
  if (matchers.length === 0) return true;
  return matchers.some((matcher) =>
    names.some((name) => (matcher.type === "ANY" || matcher.type === name.type) && matcher.test(name.value)),
  );
}
