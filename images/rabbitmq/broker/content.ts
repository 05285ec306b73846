/** A published message as its frames come in: method, header, bodies. AMQP 0-9-1 specification, section 2.3.5.2. */
import { decodeContentHeader, FRAME_HEADER, type Frame } from "../amqp/frames.ts";
import type { Arguments } from "../amqp/methods.ts";
import { Failure } from "./failure.ts";

const MAX_BODY_BYTES = 134_217_728;

export interface Content {
  readonly args: Arguments<"basic.publish">;
  /** True when this was the last frame. */
  take(frame: Frame): boolean;
  properties(): Buffer;
  body(): Buffer;
}

export function beginContent(args: Arguments<"basic.publish">): Content {
  const parts: Buffer[] = [];
  let properties: Buffer | undefined;
  let bytesLeft = 0;
  return {
    args,
    take({ type, payload }) {
      if ((type === FRAME_HEADER) !== (properties === undefined)) throw unexpectedFrame();
      if (type === FRAME_HEADER) {
        const header = decodeContentHeader(payload);
        properties = header.properties;
        bytesLeft = header.bodyBytes;
        if (header.bodyBytes > MAX_BODY_BYTES)
          throw new Failure(
            "PRECONDITION_FAILED",
            `message size ${header.bodyBytes} is larger than configured max size ${MAX_BODY_BYTES}`,
          );
      } else {
        parts.push(Buffer.from(payload));
        bytesLeft -= payload.length;
      }
      if (bytesLeft < 0) throw new Failure("FRAME_ERROR", "more content than the header said");
      return bytesLeft === 0;
    },
    properties: () => properties ?? Buffer.alloc(2),
    body: () => (parts.length === 1 ? parts[0] : undefined) ?? Buffer.concat(parts),
  };
}

export function unexpectedFrame(): Failure {
  return new Failure("UNEXPECTED_FRAME", "expected method frame, got non method frame instead");
}
