/**
 * The composition of istiod: inputs (a cluster or a directory) → collections → ConfigSource → ADS server; CA; webhooks; monitoring.
 * Order: the CA first (everything that listens needs a certificate), then the inputs, then the listeners once the inputs are complete:
 * a proxy must never be told that there is nothing.
 */
import { type Clock, describeError, ISTIO_VERSION, type Logger } from "@argyle/core";
import type { KubeClient } from "@argyle/kube-client";
import { createRegistry } from "@argyle/telemetry";
import type { XdsRegistry } from "@argyle/xds";
import { createMeshCollections } from "./collections.ts";
import { createConfigSource } from "./config-source.ts";
import { MESH_PAGES, meshPage } from "./debug.ts";
import { followDirectory, readMeshConfig } from "./file-inputs.ts";
import { createJwksFetcher, fetchJwks } from "./jwks-fetcher.ts";
import { startCaBundleController } from "./kube/ca-bundle.ts";
import { createKubeCaStore } from "./kube/ca-secret.ts";
import { startKubeInputs } from "./kube/inputs.ts";
import { startRootCertController } from "./kube/root-cert.ts";
import { createTokenVerifier } from "./kube/token-review.ts";
import { createMeshMetrics } from "./mesh-metrics.ts";
import { jwksUrisOf } from "./model/request-authentication.ts";
import { createMonitoringServer } from "./monitoring.ts";
import { createAdsServer } from "./serve/ads-server.ts";
import { createCertificateAuthority } from "./serve/ca.ts";
import { createMemoryCaStore } from "./serve/ca-store.ts";
import { answerDebug } from "./serve/debug.ts";
import { createServeMetrics } from "./serve/serve-metrics.ts";
import { createServingCredentials, istiodDnsNames } from "./serve/serving-credentials.ts";
import { answerInject, answerValidate, type ValidateIstio } from "./webhook/admission.ts";
import { createWebhookServer } from "./webhook/server.ts";

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export interface IstiodConfig {
  /** The control plane's namespace. */
  readonly namespace: string;
  readonly revision: string;
  readonly xds: ListenAddress;
  readonly secureXds: ListenAddress;
  readonly monitoring: ListenAddress;
  readonly webhooks: ListenAddress;
  readonly health: ListenAddress;
}

export type IstiodInputs =
  | { readonly kind: "cluster"; readonly client: KubeClient }
  | { readonly kind: "directory"; readonly dir: string };

export interface IstiodDeps {
  readonly inputs: IstiodInputs;
  readonly registry: XdsRegistry;
  readonly validate: ValidateIstio;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Istiod {
  /** Ports that were bound, for port 0. */
  readonly ports: Readonly<Record<"xds" | "secureXds" | "monitoring" | "webhooks" | "health", number>>;
  readonly rootCertPem: string;
  close(): Promise<void>;
}

export async function startIstiod(config: IstiodConfig, deps: IstiodDeps): Promise<Istiod> {
  const { inputs, clock, log } = deps;
  const client = inputs.kind === "cluster" ? inputs.client : undefined;
  const closers: (() => Promise<void> | void)[] = [];
  const metricsRegistry = createRegistry();
  const meshMetrics = createMeshMetrics(metricsRegistry, { tag: ISTIO_VERSION });
  const serveMetrics = createServeMetrics(metricsRegistry, ISTIO_VERSION);
  const source = createConfigSource(createMeshCollections());
  let isReady = false;

  if (inputs.kind === "directory") {
    const mesh = readMeshConfig(inputs.dir);
    if (mesh !== undefined) source.setMeshConfig(mesh);
    const followed = followDirectory(
      inputs.dir,
      (changes) => {
        const next = readMeshConfig(inputs.dir);
        if (next !== undefined) source.setMeshConfig(next);
        source.apply(changes);
      },
      (thrown) => log.error("the configuration directory cannot be read", { error: describeError(thrown) }),
    );
    closers.push(() => followed.close());
  }
  const jwks = createJwksFetcher({
    clock,
    log: log.scope("jwks"),
    random: Math.random,
    fetchText: fetchJwks,
    onKeys: (keys) => void source.setJwks(keys),
  });
  closers.push(() => jwks.close());
  const followIssuers = () => jwks.follow(jwksUrisOf(source.state().requestAuthentications));
  closers.push(source.subscribe(followIssuers));
  followIssuers();
  const kube =
    client === undefined
      ? undefined
      : startKubeInputs({
          client,
          clock,
          log,
          namespace: config.namespace,
          apply: (changes) => void source.apply(changes),
          setMeshConfig: (mesh) => void source.setMeshConfig(mesh),
        });
  if (kube !== undefined) closers.push(() => kube.close());
  await kube?.synced;
  const { trustDomain } = source.state().mesh;

  const ca = await createCertificateAuthority({
    store: client === undefined ? createMemoryCaStore() : createKubeCaStore(client, config.namespace),
    clock,
    trustDomain,
  });
  serveMetrics.rootExpires(ca.rootExpiresAt / 1000);
  const credentials = await createServingCredentials({
    ca,
    dnsNames: istiodDnsNames(config.namespace),
    clock,
    log,
  });
  closers.push(() => credentials.close());

  const ads = createAdsServer({
    source,
    registry: deps.registry,
    clock,
    log: log.scope("ads"),
    metrics: serveMetrics,
    trustDomain,
    // Without a cluster nobody can vouch for a token.
    verifyToken: client === undefined ? async () => undefined : createTokenVerifier(client, clock),
    signer: ca,
  });
  closers.push(() => ads.close());

  const webhooks = createWebhookServer({
    certificate: credentials.current(),
    log: log.scope("webhook"),
    inject(request) {
      const namespace = request.namespace;
      const labels = kube?.namespaces.get(namespace)?.metadata.labels;
      const answer = answerInject(
        request,
        { name: namespace, ...(labels === undefined ? {} : { labels }) },
        {
          mesh: source.state().mesh,
          caAddress: `istiod.${config.namespace}.svc:${config.secureXds.port === 0 ? 15012 : config.secureXds.port}`,
          revision: config.revision,
        },
      );
      meshMetrics.injected(answer.allowed);
      return answer;
    },
    validate(request) {
      const answer = answerValidate(request, deps.validate);
      meshMetrics.validated(answer.allowed, request.object?.kind ?? "");
      return answer;
    },
  });
  credentials.onRenewed((pair) => webhooks.renew(pair));
  closers.push(() => webhooks.close());

  const pages = {
    log: log.scope("monitoring"),
    isReady: () => isReady,
    metrics() {
      meshMetrics.observe(source.state());
      return metricsRegistry.expose();
    },
    debug(url: URL) {
      if (url.pathname === "/debug/list") return { status: 200, json: [...MESH_PAGES, ...PROXY_PAGES] };
      const page = meshPage(url.pathname, source.state());
      return page === undefined ? answerDebug(ads, url.pathname, url.searchParams) : { status: 200, json: page };
    },
  };
  const monitoring = createMonitoringServer(pages);
  const health = createMonitoringServer(pages);
  closers.push(
    () => monitoring.close(),
    () => health.close(),
  );

  const ports = {
    xds: await ads.listenPlaintext(addressOf(config.xds)),
    secureXds: await ads.listenTls(addressOf(config.secureXds), credentials),
    webhooks: await webhooks.listen(config.webhooks.port, config.webhooks.host),
    monitoring: await monitoring.listen(config.monitoring.port, config.monitoring.host),
    health: await health.listen(config.health.port, config.health.host),
  };
  if (kube !== undefined && client !== undefined) {
    const { rootCertPem } = ca;
    const rootCert = startRootCertController({ client, namespaces: kube.namespaces, rootCertPem, clock, log });
    const caBundle = startCaBundleController({ client, rootCertPem, clock, log });
    closers.push(
      () => rootCert.close(),
      () => caBundle.close(),
    );
  }
  isReady = true;
  log.info("istiod is ready", { ...ports, services: source.state().services.length });
  return {
    ports,
    rootCertPem: ca.rootCertPem,
    async close() {
      isReady = false;
      for (const close of closers.reverse()) await close();
    },
  };
}

const PROXY_PAGES = ["/debug/adsz", "/debug/config_dump", "/debug/connections", "/debug/syncz"];

function addressOf({ host, port }: ListenAddress): string {
  return `${host}:${port}`;
}
