/**
 * The server side of TLS over an accepted socket whose first bytes were peeked and put back. Client certificates are checked against the trusted
 * roots and the SAN matchers; a peer that fails is cut before a byte of application data is read (fail closed).
 */
import { createHash } from "node:crypto";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { MeshError } from "@argyle/core";
import type { TlsConfig } from "../config/tls-config.ts";
import { peerProblem } from "./peer-check.ts";
import { type SecretStore, sanEntries, uriSan } from "./secret-store.ts";

export interface PeerIdentity {
  readonly principal: string | undefined;
  readonly uris: readonly string[];
  readonly subject: string;
  readonly dnsNames: readonly string[];
  /** SHA-256 of the certificate's DER, lower-case hex. */
  readonly hash: string;
  readonly pem: string;
}

export interface DownstreamSecured {
  readonly socket: TLSSocket;
  readonly peer: PeerIdentity | undefined;
  readonly localPrincipal: string | undefined;
  readonly alpn: string | undefined;
  readonly version: string;
  readonly cipher: string;
}

interface VerifyingHandle {
  verifyError(): Error | null | undefined;
}

export function secureDownstream(
  socket: Socket,
  tls: TlsConfig,
  secrets: SecretStore,
  timeoutMs: number,
): Promise<DownstreamSecured> {
  return new Promise((resolve, reject) => {
    const cached = secrets.contextOf(tls);
    if (cached === undefined) {
      reject(new MeshError("Secret is not supplied by SDS", { code: "proxy.tls.secret-missing" }));
      return;
    }
    const secured = new TLSSocket(socket, {
      isServer: true,
      secureContext: cached.context,
      requestCert: cached.hasValidation,
      rejectUnauthorized: false,
      ...(tls.alpn.length === 0 ? {} : { ALPNCallback: chooseAlpn(tls.alpn) }),
    } as ConstructorParameters<typeof TLSSocket>[1]);
    const fail = (reason: string) => {
      clearTimeout(timer);
      secured.destroy();
      reject(new MeshError(reason, { code: "proxy.tls.handshake", origin: "downstream" }));
    };
    const timer = setTimeout(() => fail("TLS handshake timeout"), timeoutMs);
    const onError = (error: Error) => fail(error.message);
    const onClose = () => fail("connection closed during handshake");
    secured.once("error", onError);
    secured.once("_tlsError", onError);
    secured.once("close", onClose);
    // Half-open sockets only end when the client gives up (it may refuse us without an alert).
    secured.once("end", onClose);
    secured.once("secure", () => {
      const certificate = secured.getPeerX509Certificate();
      if (certificate === undefined && tls.requiresClientCertificate) {
        fail("PEER_DID_NOT_RETURN_A_CERTIFICATE");
        return;
      }
      if (certificate !== undefined && cached.hasValidation) {
        // verifyError belongs to the TLS handle; when Node ever lacks it nobody is let in.
        const handle = (secured as unknown as { _handle: Partial<VerifyingHandle> | null })._handle;
        const problem = handle?.verifyError === undefined ? new Error("no verifyError") : handle.verifyError();
        if (problem !== null && problem !== undefined) {
          fail(`CERTIFICATE_VERIFY_FAILED: ${problem.message}`);
          return;
        }
        const refusal = peerProblem(tls, certificate);
        if (refusal !== undefined) {
          fail(refusal);
          return;
        }
      }
      clearTimeout(timer);
      secured.off("error", onError);
      secured.off("_tlsError", onError);
      secured.off("close", onClose);
      secured.off("end", onClose);
      const chosen = secured.alpnProtocol;
      resolve({
        socket: secured,
        peer:
          certificate === undefined
            ? undefined
            : {
                principal: uriSan(certificate.subjectAltName),
                uris: sanEntries(certificate.subjectAltName).flatMap((n) => (n.type === "URI" ? [n.value] : [])),
                subject: certificate.subject?.split("\n").reverse().join(",") ?? "",
                dnsNames: sanEntries(certificate.subjectAltName).flatMap((n) => (n.type === "DNS" ? [n.value] : [])),
                hash: createHash("sha256").update(certificate.raw).digest("hex"),
                pem: certificate.toString(),
              },
        localPrincipal: cached.localPrincipal,
        alpn: typeof chosen === "string" ? chosen : undefined,
        version: secured.getProtocol() ?? "",
        cipher: secured.getCipher()?.standardName ?? "",
      });
    });
  });
}

/**
 * Our first protocol that the client offers. Without a common one Envoy goes on without ALPN; Node would end the handshake,
 * so the client's first is confirmed: the filter chain was chosen by what it offered, which is all that depends on it.
 */
function chooseAlpn(ours: readonly string[]): (offer: { readonly protocols: readonly string[] }) => string | undefined {
  return ({ protocols }) => ours.find((name) => protocols.includes(name)) ?? protocols[0];
}
