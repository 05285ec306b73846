/**
 * A watch's byte stream as events: one JSON object a line, each line parsed once. BOOKMARK events lose their empty object, an ERROR
 * event is thrown as KubeError. Sans-io: bytes in, events out; rest.ts owns the response.
 * Source: Kubernetes API concepts, "Efficient detection of changes".
 */
import type { KubeObject, Status } from "@argyle/kube-types";
import type { WatchEvent } from "./client.ts";
import { KubeError } from "./errors.ts";

const NEWLINE = 0x0a;

export interface LineSplitter {
  /** The whole lines that `chunk` completes, without their line ends. */
  push(chunk: Buffer): readonly string[];
}

export function createLineSplitter(): LineSplitter {
  let pending: Buffer[] = [];
  return {
    push(chunk) {
      const lines: string[] = [];
      let start = 0;
      for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
        if (pending.length === 0) lines.push(chunk.toString("utf8", start, end));
        else {
          pending.push(chunk.subarray(start, end));
          lines.push(Buffer.concat(pending).toString("utf8"));
          pending = [];
        }
        start = end + 1;
      }
      if (start < chunk.length) pending.push(chunk.subarray(start));
      return lines;
    },
  };
}

const INITIAL_EVENTS_END = "k8s.io/initial-events-end";

export function decodeWatchEvent<T extends KubeObject>(line: string, request: string): WatchEvent<T> {
  const event = JSON.parse(line) as { readonly type: string; readonly object: T | Status };
  switch (event.type) {
    case "ADDED":
    case "MODIFIED":
    case "DELETED":
      return { type: event.type, object: event.object as T };
    case "BOOKMARK": {
      const { metadata } = event.object as T;
      return {
        type: "BOOKMARK",
        resourceVersion: metadata.resourceVersion ?? "",
        initialEventsEnd: metadata.annotations?.[INITIAL_EVENTS_END] === "true",
      };
    }
    default:
      throw new KubeError(event.object as Status, request);
  }
}
