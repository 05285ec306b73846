/** What a local reply looks like on the wire: status, headers and body; gRPC clients get theirs as grpc-status. */
import {
  createHeaderBlock,
  encodeGrpcMessage,
  grpcStatusOfHttp,
  type HeaderBlock,
  isGrpcContentType,
} from "@argyle/codec";
import type { LocalReply } from "../local-reply.ts";

export interface LocalResponse {
  readonly status: number;
  readonly headers: HeaderBlock;
  readonly body: Buffer;
}

const NO_BODY = Buffer.alloc(0);

export function buildLocalResponse(reply: LocalReply, request: HeaderBlock): LocalResponse {
  const headers = createHeaderBlock(reply.headers ?? []);
  if (isGrpcContentType(request.get("content-type"))) {
    headers.set("content-type", "application/grpc");
    headers.set("grpc-status", String(reply.grpcStatus ?? grpcStatusOfHttp(reply.status)));
    if (reply.body !== "") headers.set("grpc-message", encodeGrpcMessage(reply.body));
    return { status: 200, headers, body: NO_BODY };
  }
  if (reply.body === "") return { status: reply.status, headers, body: NO_BODY };
  headers.set("content-type", "text/plain");
  return { status: reply.status, headers, body: Buffer.from(reply.body, "latin1") };
}
