/**
 * What an exec or attach session is, whatever carries it: SPDY streams or WebSocket channels. The carriers make one, exec.ts and attach.ts use it.
 * Source: Kubernetes, remotecommand protocol v4/v5 (channel.k8s.io).
 */
import type { Readable, Writable } from "node:stream";
import { type Status, statusFor } from "./exit-status.ts";

export interface TerminalSize {
  readonly Width: number;
  readonly Height: number;
}

export interface StreamRequest {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

export interface RemoteSession {
  readonly request: StreamRequest;
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  /** Undefined with a tty. */
  readonly stderr: Writable | undefined;
  onResize(listener: (size: TerminalSize) => void): void;
  /** The client has gone. */
  onClose(listener: () => void): void;
  /** Sends the Status and ends the session. */
  finish(status: Status): void;
}

export { type Status, statusFor };

/** The kubelet's names of the parameters; the API's own are taken as well. */
export function parseStreamRequest(query: URLSearchParams): StreamRequest {
  const isOn = (...names: readonly string[]) => names.some((name) => /^(1|true)$/i.test(query.get(name) ?? ""));
  const tty = isOn("tty");
  return {
    stdin: isOn("input", "stdin"),
    stdout: isOn("output", "stdout"),
    stderr: isOn("error", "stderr") && !tty,
    tty,
  };
}

export function parseTerminalSize(text: string): TerminalSize | undefined {
  try {
    const size = JSON.parse(text) as Partial<TerminalSize>;
    if (typeof size.Width !== "number" || typeof size.Height !== "number" || size.Width < 1) return undefined;
    return { Width: size.Width, Height: size.Height };
  } catch {
    return undefined; // half a message; the next one counts
  }
}
