/** An ADS server and CA on real sockets, as main.ts composes them, for tests. */
import { readFileSync } from "node:fs";
import { type Clock, silentLogger, systemClock } from "@argyle/core";
import { createRegistry } from "@argyle/telemetry";
import { createXdsRegistry } from "@argyle/xds";
import { type AdsServer, createAdsServer } from "../src/serve/ads-server.ts";
import { type CertificateAuthority, createCertificateAuthority } from "../src/serve/ca.ts";
import { type CaStore, createMemoryCaStore } from "../src/serve/ca-store.ts";
import type { ConfigSource } from "../src/serve/config-source.ts";
import { createServeMetrics } from "../src/serve/serve-metrics.ts";
import { createServingCredentials, istiodDnsNames } from "../src/serve/serving-credentials.ts";

declare const __ARGYLE_ROOT__: string;
export const xdsRegistry = createXdsRegistry(readFileSync(`${__ARGYLE_ROOT__}/dist/assets/xds.binpb`));

export interface TestIstiod {
  readonly server: AdsServer;
  readonly ca: CertificateAuthority;
  readonly plainPort: number;
  readonly tlsPort: number;
  metrics(): string;
  close(): Promise<void>;
}

/** Tokens are `<namespace>/<serviceAccount>`; anything else is refused. */
export async function startIstiod(
  source: ConfigSource,
  options: {
    readonly store?: CaStore;
    readonly listen?: string;
    readonly listenPlaintext?: string;
    readonly clock?: Clock;
  } = {},
): Promise<TestIstiod> {
  const clock = options.clock ?? systemClock;
  const registry = createRegistry();
  const ca = await createCertificateAuthority({
    store: options.store ?? createMemoryCaStore(),
    clock,
    trustDomain: "cluster.local",
  });
  const serving = await createServingCredentials({ ca, clock, dnsNames: istiodDnsNames(), log: silentLogger });
  const server = createAdsServer({
    source,
    registry: xdsRegistry,
    clock,
    log: silentLogger,
    metrics: createServeMetrics(registry, "1.28.0"),
    trustDomain: "cluster.local",
    signer: ca,
    async verifyToken(token) {
      const [namespace, serviceAccount] = token.split("/");
      return namespace !== undefined && serviceAccount !== undefined ? { namespace, serviceAccount } : undefined;
    },
  });
  return {
    server,
    ca,
    plainPort: await server.listenPlaintext(options.listenPlaintext ?? "127.0.0.1:0"),
    tlsPort: await server.listenTls(options.listen ?? "127.0.0.1:0", serving),
    metrics: () => registry.expose(),
    async close() {
      serving.close();
      await server.close();
    },
  };
}
