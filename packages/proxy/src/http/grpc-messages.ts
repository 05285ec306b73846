/** The messages of a gRPC stream, counted in each direction as they pass. */
import { GrpcMessageCounter, isGrpcContentType } from "@argyle/codec";

export interface GrpcMessages {
  readonly requests: GrpcMessageCounter;
  readonly responses: GrpcMessageCounter;
}

/** Undefined for a request that is not gRPC. */
export function countGrpcMessages(contentType: string | undefined): GrpcMessages | undefined {
  if (!isGrpcContentType(contentType)) return undefined;
  return { requests: new GrpcMessageCounter(), responses: new GrpcMessageCounter() };
}
