/** Reads a whole connection with an HTTP/1 reader, from pieces, into values that can be compared. */
import type { HeaderBlock, RequestHead, RequestReader, ResponseHead, ResponseReader } from "@argyle/codec";
import { copyOf, Violation } from "../target.ts";

export interface ReadMessage {
  readonly head: RequestHead | ResponseHead;
  body: string;
  trailers: HeaderBlock | undefined;
  isComplete: boolean;
}

export interface Reading {
  readonly messages: readonly ReadMessage[];
  readonly events: readonly string[];
}

const MAX_MESSAGES = 60;

export function readConnection(
  pieces: readonly Buffer[],
  reader: RequestReader | ResponseReader,
  /** Undefined: one message only, since what follows a response belongs to nobody until the next request was sent. */
  proceed: (() => void) | undefined,
): Reading {
  const messages: ReadMessage[] = [];
  const events: string[] = [];
  let isOver = false;
  const drain = () => {
    for (let steps = 0; ; steps++) {
      if (steps > 100_000) throw new Violation("the reader never says need-data");
      const event = reader.next();
      const message = messages.at(-1);
      switch (event.kind) {
        case "need-data":
          reader.retain();
          return;
        case "head":
          messages.push({ head: event.head, body: "", trailers: undefined, isComplete: false });
          events.push(describe(event.head));
          break;
        case "informational":
          events.push(`interim ${describe(event.head)}`);
          break;
        case "body":
          if (event.start >= event.end) throw new Violation("a body event without bytes");
          if (message !== undefined) message.body += event.buffer.toString("latin1", event.start, event.end);
          break;
        case "trailers":
          if (message !== undefined) message.trailers = event.headers;
          break;
        case "end":
          if (message !== undefined) message.isComplete = true;
          events.push(`end of ${JSON.stringify(message?.body)} ${message?.trailers?.encode() ?? ""}`);
          if (proceed !== undefined) break;
          isOver = true;
          return;
        case "paused":
          if (messages.length >= MAX_MESSAGES || message?.head.framing === "tunnel") {
            isOver = true;
            return;
          }
          proceed?.();
          break;
        case "closed":
        case "error":
          events.push(event.kind === "error" ? `error ${event.error.code} ${event.error.status}` : "closed");
          isOver = true;
          return;
      }
    }
  };
  for (const piece of pieces) {
    const own = copyOf(piece);
    reader.feed(own, 0, own.length);
    drain();
    if (isOver) return { messages, events };
  }
  reader.finish();
  drain();
  return { messages, events };
}

function describe(head: RequestHead | ResponseHead): string {
  const line = head.kind === "request" ? `${head.method} ${head.target}` : `${head.status} ${head.reason}`;
  return `${line} 1.${head.minor} ${head.framing} ${head.contentLength} ${head.keepAlive} ${head.headers.encode()}`;
}
