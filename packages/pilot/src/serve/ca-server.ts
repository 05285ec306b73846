/** IstioCertificateService: authenticates the caller, signs for who it is, and translates failures into gRPC status. */
import { describeError, type Logger, MeshError } from "@argyle/core";
import type { CertificateRequest, CertificateResponse } from "@argyle/xds";
import { type ServerUnaryCall, type sendUnaryData, status, type UntypedServiceImplementation } from "@grpc/grpc-js";
import type { WorkloadIdentity } from "./identity.ts";
import type { ServeMetrics } from "./serve-metrics.ts";

export interface CertificateSigner {
  signWorkload(csrPem: string, identity: WorkloadIdentity, ttlSeconds: number): Promise<readonly string[]>;
}

type CertificateCall = ServerUnaryCall<CertificateRequest, CertificateResponse>;

export interface CertificateServiceDeps {
  readonly signer: CertificateSigner;
  readonly whoIs: (call: Pick<CertificateCall, "getAuthContext" | "metadata">) => Promise<WorkloadIdentity | undefined>;
  readonly log: Logger;
  readonly metrics: ServeMetrics;
}

export function handleCertificateRequest(deps: CertificateServiceDeps): UntypedServiceImplementation {
  const create = async (call: CertificateCall): Promise<CertificateResponse | { code: status; details: string }> => {
    deps.metrics.csrReceived();
    let identity: WorkloadIdentity | undefined;
    try {
      identity = await deps.whoIs(call);
    } catch (error) {
      deps.log.warn("CSR: identity could not be checked", { peer: call.getPeer(), error: describeError(error) });
      deps.metrics.csrRefused("authentication");
      return { code: status.UNAVAILABLE, details: "identity could not be checked" };
    }
    if (identity === undefined) {
      deps.metrics.csrRefused("authentication");
      deps.log.warn("CSR: authentication failed", { peer: call.getPeer() });
      return { code: status.UNAUTHENTICATED, details: "request authenticate failure" };
    }
    try {
      const { csr, validitySeconds } = call.request;
      const certChain = await deps.signer.signWorkload(csr, identity, validitySeconds);
      deps.metrics.csrSigned();
      return { certChain };
    } catch (error) {
      deps.metrics.csrRefused("sign");
      deps.log.warn("CSR: refused", { ...identity, error: describeError(error) });
      const isCallers = error instanceof MeshError && error.origin === "downstream";
      return { code: isCallers ? status.INVALID_ARGUMENT : status.INTERNAL, details: describeError(error) };
    }
  };
  return {
    CreateCertificate(call: CertificateCall, done: sendUnaryData<CertificateResponse>) {
      void create(call).then((result) => {
        if ("certChain" in result) done(null, result);
        else done(result);
      });
    },
  };
}
