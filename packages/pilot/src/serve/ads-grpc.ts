/** The gRPC rim of istiod: turns calls into connections and CSRs, checks who calls, binds ports. */
import { type Logger, MeshError } from "@argyle/core";
import {
  adsMethods,
  certificateMethods,
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  type DiscoveryRequest,
  type DiscoveryResponse,
  type ServerSession,
  type XdsWire,
} from "@argyle/xds";
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { type AdsConnection, type ConnectionDeps, createAdsConnection } from "./ads-connection.ts";
import { type CertificateSigner, handleCertificateRequest } from "./ca-server.ts";
import { identify, type VerifyToken, type WorkloadIdentity } from "./identity.ts";
import type { ServeMetrics } from "./serve-metrics.ts";
import type { ServingCredentials } from "./serving-credentials.ts";

export interface GrpcRimOptions {
  readonly wire: XdsWire;
  readonly log: Logger;
  readonly metrics: ServeMetrics;
  readonly trustDomain: string;
  readonly verifyToken: VerifyToken;
  readonly signer: CertificateSigner | undefined;
  readonly connection: ConnectionDeps;
  readonly onClosed: (connection: AdsConnection) => void;
  readonly nextStreamId: () => string;
  readonly createDelta: (id: string) => ServerSession<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;
  readonly createSotw: (id: string) => ServerSession<DiscoveryRequest, DiscoveryResponse>;
}

export interface GrpcRim {
  listenTls(address: string, credentials: ServingCredentials): Promise<number>;
  listenPlaintext(address: string): Promise<number>;
  close(): Promise<void>;
}

/** Proxies hold one stream each for days: ping idle ones, and do not end old ones. */
const CHANNEL_OPTIONS = {
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.max_receive_message_length": 16 * 1024 * 1024,
  "grpc.max_send_message_length": -1,
};

export function serveGrpc(options: GrpcRimOptions): GrpcRim {
  const servers: Server[] = [];
  const bind = async (address: string, credentials: ServerCredentials, isTls: boolean) => {
    const server = createServer(options, isTls);
    servers.push(server);
    return new Promise<number>((resolve, reject) => {
      server.bindAsync(address, credentials, (error, port) => {
        if (error === null) resolve(port);
        else reject(new MeshError(`cannot listen on ${address}`, { code: "pilot.ads.listen", cause: error }));
      });
    });
  };
  return {
    listenTls: (address, credentials) => bind(address, credentials.grpc, true),
    listenPlaintext: (address) => bind(address, ServerCredentials.createInsecure(), false),
    async close() {
      for (const server of servers) server.forceShutdown();
    },
  };
}

function createServer(options: GrpcRimOptions, isTls: boolean): Server {
  const server = new Server(CHANNEL_OPTIONS);
  const ads = adsMethods(options.wire);
  const whoIs = (call: IdentifiableCall): Promise<WorkloadIdentity | undefined> =>
    identify(call.getAuthContext().sslPeerCertificate, call.metadata, options.trustDomain, options.verifyToken);
  server.addService(definitionOf(ads), {
    DeltaAggregatedResources: (call: DeltaCall) => {
      void serveStream(call, "delta", options.createDelta, isTls, whoIs, options);
    },
    StreamAggregatedResources: (call: SotwCall) => {
      void serveStream(call, "sotw", options.createSotw, isTls, whoIs, options);
    },
  } as unknown as UntypedServiceImplementation);
  const { signer } = options;
  if (signer !== undefined && isTls) {
    server.addService(
      definitionOf(certificateMethods(options.wire)),
      handleCertificateRequest({ signer, whoIs, log: options.log, metrics: options.metrics }),
    );
  }
  return server;
}

type DeltaCall = ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;
type SotwCall = ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>;
export type IdentifiableCall = Pick<DeltaCall, "getAuthContext" | "metadata">;

async function serveStream<
  Request extends DeltaDiscoveryRequest | DiscoveryRequest,
  Response extends DeltaDiscoveryResponse | DiscoveryResponse,
>(
  call: ServerDuplexStream<Request, Response>,
  mode: "delta" | "sotw",
  createSession: (id: string) => ServerSession<Request, Response>,
  isTls: boolean,
  whoIs: (call: IdentifiableCall) => Promise<WorkloadIdentity | undefined>,
  options: GrpcRimOptions,
): Promise<void> {
  let connection: AdsConnection | undefined;
  let isOver = false;
  const finish = () => {
    isOver = true;
    if (connection !== undefined) options.onClosed(connection);
    connection = undefined;
  };
  const fail = (code: keyof typeof status, details: string) => {
    if (isOver) return;
    finish();
    call.emit("error", { code: status[code], details, metadata: new Metadata() });
  };
  call.on("error", finish);
  call.on("cancelled", finish);
  call.on("close", finish);

  let identity: WorkloadIdentity | undefined;
  if (isTls) {
    try {
      identity = await whoIs(call);
    } catch (error) {
      options.log.warn("identity could not be checked", { peer: call.getPeer(), error: String(error) });
      fail("UNAVAILABLE", "identity could not be checked");
      return;
    }
    if (identity === undefined) {
      fail("UNAUTHENTICATED", "neither a certificate of the mesh nor a valid service-account token");
      return;
    }
  }
  if (isOver) return;
  const id = options.nextStreamId();
  const incoming = createAdsConnection<Request, Response>(
    { id, mode, address: call.getPeer(), identity },
    createSession(id),
    {
      write: (response) => !isOver && call.write(response),
      fail,
      end: () => {
        if (!isOver) call.end();
      },
    },
    {
      ...options.connection,
      onReady(ready) {
        connection = ready;
        options.connection.onReady(ready);
      },
    },
  );
  call.on("data", (request: Request) => {
    if (!isOver) incoming.request(request);
  });
  call.on("drain", () => incoming.resumed());
  call.on("end", () => {
    finish();
    call.end();
  });
}

function definitionOf(methods: object): ServiceDefinition {
  return methods as unknown as ServiceDefinition;
}
