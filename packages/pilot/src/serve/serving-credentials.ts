/**
 * The certificate that istiod serves with (ADS, CA, webhooks): issued by its own CA, renewed at half its life without a restart.
 * Client certificates are asked for, not demanded: a proxy's first call has none, its token identifies it then.
 */
import { type Clock, describeError, type Logger, type Timer } from "@argyle/core";
import { experimental, type ServerCredentials } from "@grpc/grpc-js";
import type { CertificateAuthority, KeyPairPem } from "./ca.ts";

export interface ServingCredentials {
  /** For AdsServer.listenTls. */
  readonly grpc: ServerCredentials;
  /** For an HTTPS server: use it now and again on every call of the listener (`server.setSecureContext`). */
  current(): KeyPairPem;
  onRenewed(listener: (pair: KeyPairPem) => void): void;
  close(): void;
}

export interface ServingOptions {
  readonly ca: CertificateAuthority;
  readonly dnsNames: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly ttlSeconds?: number;
}

/** Longest delay of a timer (2^31-1 ms). */
const MAX_TIMER_MS = 2_147_483_647;
const RETRY_MS = 10_000;

type IdentityListener = Parameters<experimental.CertificateProvider["addIdentityCertificateListener"]>[0];
type CaListener = Parameters<experimental.CertificateProvider["addCaCertificateListener"]>[0];

/** The names under which proxies and the API server call istiod. */
export function istiodDnsNames(namespace = "istio-system"): readonly string[] {
  return [`istiod.${namespace}.svc`, `istiod.${namespace}.svc.cluster.local`, `istiod.${namespace}`, "istiod"];
}

export async function createServingCredentials(options: ServingOptions): Promise<ServingCredentials> {
  const ttlSeconds = options.ttlSeconds ?? 86_400;
  const issue = () => options.ca.issueServing(options.dnsNames, ttlSeconds);
  let pair = await issue();
  let isClosed = false;
  const identityListeners = new Set<IdentityListener>();
  const listeners: ((pair: KeyPairPem) => void)[] = [];

  const identity = () => ({ certificate: Buffer.from(pair.certChainPem), privateKey: Buffer.from(pair.privateKeyPem) });
  // grpc-js hears only what comes after it registered its own watcher, so the first value is told a microtask later.
  const provider: experimental.CertificateProvider = {
    addCaCertificateListener: (listener: CaListener) =>
      queueMicrotask(() => listener({ caCertificate: Buffer.from(options.ca.rootCertPem) })),
    removeCaCertificateListener: () => undefined,
    addIdentityCertificateListener(listener) {
      identityListeners.add(listener);
      queueMicrotask(() => listener(identity()));
    },
    removeIdentityCertificateListener: (listener) => void identityListeners.delete(listener),
  };

  const renew = async () => {
    try {
      pair = await issue();
      if (isClosed) return;
      for (const listener of identityListeners) listener(identity());
      for (const listener of listeners) listener(pair);
      timer = plan((ttlSeconds * 1000) / 2);
    } catch (error) {
      options.log.error("the serving certificate could not be renewed", { error: describeError(error) });
      if (!isClosed) timer = plan(RETRY_MS);
    }
  };
  const plan = (delayMs: number): Timer =>
    options.clock.after(Math.min(delayMs, MAX_TIMER_MS), () => void renew(), { unref: true });
  let timer = plan((ttlSeconds * 1000) / 2);

  return {
    grpc: experimental.createCertificateProviderServerCredentials(provider, provider, false),
    current: () => pair,
    onRenewed: (listener) => void listeners.push(listener),
    close() {
      isClosed = true;
      timer.cancel();
    },
  };
}
