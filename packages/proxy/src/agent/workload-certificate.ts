/**
 * The sidecar's identity: a key that never leaves this process (but for the held state of a worker that dies), a CSR to istiod, and both kept
 * fresh at half life. Failures are retried with back-off while the old certificate goes on serving.
 */
import { X509Certificate } from "node:crypto";
import { type BackoffPolicy, backoffDelay, type Clock, describeError, type Logger, type Timer } from "@argyle/core";
import { createCertificate, type Secret, type XdsWire } from "@argyle/xds";
import { createKeyAndCsr } from "./csr.ts";
import type { HeldIdentity, HeldState } from "./held-state.ts";
import type { Call } from "./istiod.ts";

export interface CertificateStatus {
  readonly serialNumber: string;
  readonly notAfter: number;
}

export interface WorkloadCertificate {
  /** The first certificate is there. */
  readonly issued: Promise<void>;
  /** The one that was held is in force, if it was still good. */
  readonly restored: Promise<void>;
  status(): CertificateStatus | undefined;
  close(): void;
}

export interface WorkloadCertificateOptions {
  readonly spiffeId: string;
  readonly ttlSeconds: number;
  readonly wire: XdsWire;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  readonly held: HeldState;
  readonly call: () => Promise<Call>;
  /** `default` and `ROOTCA`, together. */
  readonly onSecrets: (secrets: readonly Secret[], version: string) => void;
}

const BACKOFF: BackoffPolicy = { baseMs: 50, maxMs: 10_000 };
const CALL_TIMEOUT_MS = 10_000;
const MAX_TIMER_MS = 2_147_483_647;

export function keepWorkloadCertificate(options: WorkloadCertificateOptions): WorkloadCertificate {
  const { clock, log, random } = options;
  let current: CertificateStatus | undefined;
  let timer: Timer | undefined;
  let failures = 0;
  let isClosed = false;
  let abortCall: () => void = () => undefined;
  let resolveIssued: () => void = () => undefined;
  const issued = new Promise<void>((resolve) => {
    resolveIssued = resolve;
  });

  const request = async (): Promise<HeldIdentity> => {
    const { channel, metadata } = await options.call();
    const abort = new AbortController();
    if (isClosed) abort.abort();
    const deadline = clock.after(CALL_TIMEOUT_MS, () => abort.abort(), { unref: true });
    abortCall = () => abort.abort();
    try {
      const { privateKeyPem, csrPem } = createKeyAndCsr(options.spiffeId);
      const csr = { csr: csrPem, validitySeconds: options.ttlSeconds };
      const { certChain } = await createCertificate(channel.client, options.wire, metadata, csr, abort.signal);
      return { privateKeyPem, certChain };
    } finally {
      deadline.cancel();
      channel.release();
    }
  };

  const renew = async () => {
    try {
      const identity = await request();
      if (isClosed) return;
      const leaf = use(identity);
      failures = 0;
      options.held.keepIdentity(identity);
      log.info("workload certificate issued", { id: options.spiffeId, notAfter: leaf.validTo });
    } catch (error) {
      if (isClosed) return;
      const retryInMs = backoffDelay(BACKOFF, failures++, random);
      log.warn("workload certificate not issued", { error: describeError(error), retryInMs: Math.round(retryInMs) });
      plan(retryInMs);
    }
  };
  const use = ({ certChain, privateKeyPem }: HeldIdentity): X509Certificate => {
    const leaf = new X509Certificate(certChain[0] ?? "");
    const notAfter = Date.parse(leaf.validTo);
    current = { serialNumber: leaf.serialNumber, notAfter };
    options.onSecrets(secretsOf(certChain, privateKeyPem), leaf.serialNumber);
    resolveIssued();
    const lifeMs = Math.max(0, notAfter - clock.now());
    plan(lifeMs * (0.5 + random() * 0.1));
    return leaf;
  };
  const start = async () => {
    const identity = options.held.takeIdentity();
    if (isClosed) return;
    try {
      if (identity !== undefined && isFresh(identity, options.spiffeId, clock.now())) {
        use(identity);
        options.held.keepIdentity(identity);
        return;
      }
    } catch (error) {
      log.warn("held certificate cannot be used", { error: describeError(error) });
    }
    void renew();
  };
  const plan = (delayMs: number) => {
    timer = clock.after(Math.min(delayMs, MAX_TIMER_MS), () => void renew(), { unref: true });
  };
  const restored = start();

  return {
    issued,
    restored,
    status: () => current,
    close() {
      isClosed = true;
      timer?.cancel();
      abortCall();
    },
  };
}

/** Of this workload, and less than half of its life is over: else it would be renewed at once anyway. */
function isFresh({ certChain }: HeldIdentity, spiffeId: string, now: number): boolean {
  const leaf = new X509Certificate(certChain[0] ?? "");
  const from = Date.parse(leaf.validFrom);
  return (
    leaf.subjectAltName?.includes(`URI:${spiffeId}`) === true && now < from + (Date.parse(leaf.validTo) - from) / 2
  );
}

/** The last certificate of the answer is the root, the others are the chain that the proxy presents. */
function secretsOf(certChain: readonly string[], privateKeyPem: string): readonly Secret[] {
  const chain = certChain.length > 1 ? certChain.slice(0, -1) : certChain;
  return [
    {
      name: "default",
      tls_certificate: {
        certificate_chain: { inline_bytes: base64(chain.join("")) },
        private_key: { inline_bytes: base64(privateKeyPem) },
      },
    },
    { name: "ROOTCA", validation_context: { trusted_ca: { inline_bytes: base64(certChain.at(-1) ?? "") } } },
  ];
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
