/**
 * Plays pilot-agent for one sidecar or gateway: identity first (secrets `default` and `ROOTCA`), then the ADS stream. Everything it
 * learns goes into the sink; nothing else of the proxy knows istiod.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type BackoffPolicy,
  backoffDelay,
  type Clock,
  describeError,
  errnoOf,
  type Logger,
  type Timer,
} from "@argyle/core";
import {
  CLUSTER_TYPE,
  createXdsWire,
  ENDPOINT_TYPE,
  LISTENER_TYPE,
  ROUTE_TYPE,
  SECRET_TYPE,
  type WantedNames,
  type XdsRegistry,
  type XdsWire,
} from "@argyle/xds";
import type { ResourceSink, ResourceUpsert } from "../resource-sink.ts";
import { type AdsClient, createAdsClient, type TypeProgress } from "./ads-client.ts";
import { AGENT_FILES, type AgentSpec } from "./agent-spec.ts";
import { type ChannelPool, createChannelPool } from "./channel-pool.ts";
import { createDecodedResources, type DecodedResources } from "./decoded-resources.ts";
import { followFileSecrets, isFileSecret } from "./file-secrets.ts";
import { createHeldState } from "./held-state.ts";
import { type ConnectIstiod, callIstiod } from "./istiod.ts";
import { describeWorkload, type Workload, type WorkloadFiles } from "./workload.ts";
import { type CertificateStatus, keepWorkloadCertificate, type WorkloadCertificate } from "./workload-certificate.ts";

/** What all agents of one worker share. */
export interface AgentShared {
  readonly wire: XdsWire;
  readonly channels: ChannelPool;
  readonly decoded: DecodedResources;
}

export interface AgentOptions {
  readonly spec: AgentSpec;
  readonly sink: ResourceSink;
  readonly connect: ConnectIstiod;
  /** Where what is held is kept for the next worker; of this pod alone. */
  readonly heldDirectory: string;
  readonly shared: AgentShared;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random?: () => number;
}

export interface AgentStatus {
  readonly workload: Workload | undefined;
  readonly isReady: boolean;
  readonly isConnected: boolean;
  readonly certificate: CertificateStatus | undefined;
  readonly types: ReadonlyMap<string, TypeProgress>;
  readonly lastError: string | undefined;
}

export interface Agent {
  /** The identity is there and clusters and listeners have been applied once: what /healthz/ready of pilot-agent waits for. */
  readonly ready: Promise<void>;
  /** What the worker before this one held is in force; at once when it held nothing. */
  readonly restored: Promise<void>;
  status(): AgentStatus;
  close(): void;
}

const TYPES: readonly string[] = [CLUSTER_TYPE, ENDPOINT_TYPE, SECRET_TYPE, LISTENER_TYPE, ROUTE_TYPE];
const LOCAL_SECRETS: ReadonlySet<string> = new Set(["default", "ROOTCA"]);
const BACKOFF: BackoffPolicy = { baseMs: 100, maxMs: 5_000 };
const CATCH_UP_MS = 500;
const NO_TYPES: ReadonlyMap<string, TypeProgress> = new Map();

export function createAgentShared(registry: XdsRegistry): AgentShared {
  return {
    wire: createXdsWire(registry),
    channels: createChannelPool(),
    decoded: createDecodedResources(registry),
  };
}

export function startAgent(options: AgentOptions): Agent {
  const { spec, sink, shared, clock, log } = options;
  const random = options.random ?? Math.random;
  const held = createHeldState({
    directory: options.heldDirectory,
    parse: shared.decoded.parse,
    clock,
    log,
    random,
  });
  let workload: Workload | undefined;
  let certificate: WorkloadCertificate | undefined;
  let ads: AdsClient | undefined;
  const fileSecrets = followFileSecrets({ sink, rootfs: spec.rootfs, clock, log });
  let isClosed = false;
  let isReady = false;
  let becomeReady: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => {
    becomeReady = () => {
      isReady = true;
      resolve();
    };
  });

  /** What the pod is labelled with becomes its identity in every metric, so a file that cannot be read is read again. */
  const readFiles = async (): Promise<WorkloadFiles | undefined> => {
    for (let failures = 0; !isClosed; failures++) {
      try {
        const [labels, annotations] = await Promise.all([
          readOptional(join(spec.rootfs, AGENT_FILES.labels)),
          readOptional(join(spec.rootfs, AGENT_FILES.annotations)),
        ]);
        return { labels, annotations };
      } catch (error) {
        log.warn("cannot read labels and annotations", { error: describeError(error) });
        await new Promise<void>((resolve) => clock.after(backoffDelay(BACKOFF, failures, random), resolve));
      }
    }
    return undefined;
  };

  let endRestore: () => void = () => undefined;
  const restored = new Promise<void>((resolve) => {
    endRestore = resolve;
  });
  const applied = new Set<string>();
  const onApplied = (typeUrl: string) => {
    applied.add(typeUrl);
    if (!isReady && applied.has(CLUSTER_TYPE) && applied.has(LISTENER_TYPE)) becomeReady();
  };

  /** What it holds is applied as if istiod had sent it; a resource that is refused now is asked for again. */
  const restore = (): ReadonlyMap<string, readonly ResourceUpsert[]> => {
    const lists = TYPES.map((typeUrl) => held.takeResources(typeUrl));
    const inForce = new Map<string, readonly ResourceUpsert[]>();
    TYPES.forEach((typeUrl, i) => {
      const upserts = lists[i] ?? [];
      if (upserts.length === 0) return;
      const rejected = new Set(sink.apply(typeUrl, upserts, []).map(({ name }) => name));
      inForce.set(
        typeUrl,
        upserts.filter(({ name }) => !rejected.has(name)),
      );
      onApplied(typeUrl);
    });
    return inForce;
  };

  let catchUpTimer: Timer | undefined;
  const catchUp = () =>
    new Promise<void>((resolve) => {
      catchUpTimer = clock.after(CATCH_UP_MS * (0.5 + random()), resolve, { unref: true });
    });

  const run = async () => {
    const fromBefore = restore();
    if (fromBefore.size === 0) endRestore();
    const files = await readFiles();
    if (files === undefined) return;
    const self = describeWorkload(spec, files);
    workload = self;
    const callAt = (address: string) => () =>
      callIstiod(spec, address, self.namespace, options.connect, shared.channels);
    certificate = keepWorkloadCertificate({
      spiffeId: self.spiffeId,
      ttlSeconds: self.certificateTtlSeconds,
      wire: shared.wire,
      clock,
      log,
      random,
      held,
      call: callAt(self.caAddress),
      onSecrets(secrets, version) {
        const upserts = secrets.map((resource) => ({ name: resource.name, version, resource }));
        for (const { name, message } of sink.apply(SECRET_TYPE, upserts, [])) {
          log.error("own certificate rejected", { name, message });
        }
      },
    });
    await certificate.restored;
    endRestore();
    await certificate.issued;
    // A worker that has just taken over serves first, with what all its proxies held; what changed meanwhile can wait a moment.
    if (fromBefore.size > 0) await catchUp();
    if (isClosed) return;
    ads = createAdsClient({
      node: self.node,
      types: TYPES,
      sink,
      wanted: (typeUrl) => wantedOfIstiod(sink, typeUrl),
      call: callAt(self.discoveryAddress),
      wire: shared.wire,
      decoded: shared.decoded,
      held,
      restored: fromBefore,
      clock,
      log,
      random,
      onApplied,
    });
  };
  run()
    .catch((error: unknown) => log.error("agent failed", { error: String(error) }))
    .finally(endRestore);

  return {
    ready,
    restored,
    status: () => ({
      workload,
      isReady,
      isConnected: ads?.isConnected() ?? false,
      certificate: certificate?.status(),
      types: ads?.types() ?? NO_TYPES,
      lastError: ads?.lastError(),
    }),
    close() {
      isClosed = true;
      catchUpTimer?.cancel();
      held.close();
      fileSecrets.close();
      certificate?.close();
      ads?.close();
    },
  };
}

/** Secrets of the workload itself are made here; those of a Gateway's credentialName come from istiod. */
function wantedOfIstiod(sink: ResourceSink, typeUrl: string): WantedNames {
  const wanted = sink.wanted(typeUrl);
  if (typeUrl !== SECRET_TYPE) return wanted;
  if (wanted === "*") return new Set();
  return new Set([...wanted].filter((name) => !LOCAL_SECRETS.has(name) && !isFileSecret(name)));
}

/** Pods without a downward volume have no such file. */
async function readOptional(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return "";
    throw error;
  }
}
