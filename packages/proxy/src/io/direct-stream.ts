/**
 * The handle of a net or TLS socket, read and written without the Duplex in front of it, whose states, buffers, callbacks and nextTicks cost more
 * than our own logic for a request. Reads go into one buffer that all connections share. Under load small writes wait for the end of the turn. What the
 * kernel takes of a write at once, which is nearly always all of it, is one call. The end of the stream, errors and closing stay with the socket and
 * its events.
 *
 * All of it is private to Node: `_handle` with its methods, `onread`, and process.binding("stream_wrap"), which is on the list of bindings that
 * 20, 22 and 24 permit. It lives only in this file. Where a name is missing, openDirectStream gives undefined and the socket's public interface does
 * the work, at about two thirds of the speed.
 */
import type { Socket } from "node:net";
import { getSystemErrorName } from "node:util";
import { atTurnEnd, gathersWrites, type TurnEndTarget } from "./turn-end.ts";

interface WriteRequest {
  oncomplete: (status: number) => void;
  buffer?: Buffer;
}

interface StreamBinding {
  readonly WriteWrap: new () => WriteRequest;
  readonly streamBaseState: Int32Array;
  readonly kLastWriteWasAsync: number;
  readonly kReadBytesOrError: number;
}

interface StreamHandle {
  reading: boolean;
  onread: (this: StreamHandle, bytes: ArrayBuffer | undefined) => unknown;
  useUserBuffer(buffer: Buffer): void;
  readStart(): number;
  readStop(): number;
  writeLatin1String(request: WriteRequest, text: string): number;
  writeBuffer(request: WriteRequest, bytes: Buffer): number;
}

export interface DirectStreamOwner {
  /** Bytes lie in SHARED_BUFFER from 0 to `length`, until this returns. */
  onDirectRead(length: number): void;
  /** After write() said false: everything has left. */
  onDirectDrain(): void;
}

/** One read fills at most this; a TLS record is at most 16 KiB. */
export const SHARED_BUFFER = Buffer.allocUnsafeSlow(64 * 1024);

/** Unsent bytes from which a writer should wait: Node's own limit for streams. */
const HIGH_WATER = 16 * 1024;
const METHODS = ["useUserBuffer", "readStart", "readStop", "writeLatin1String", "writeBuffer", "onread"] as const;
const STREAM = findBinding();
let isSwitchedOff = false;
/** Given to every write that is done at once: only one that Node keeps needs a request of its own. */
let spare = STREAM === undefined ? undefined : new STREAM.WriteWrap();

function findBinding(): StreamBinding | undefined {
  const { binding } = process as unknown as { binding?: (name: string) => Partial<StreamBinding> };
  try {
    const found = binding?.call(process, "stream_wrap");
    const isKnown =
      typeof found?.WriteWrap === "function" &&
      found.streamBaseState instanceof Int32Array &&
      typeof found.kLastWriteWasAsync === "number" &&
      typeof found.kReadBytesOrError === "number";
    return isKnown ? (found as StreamBinding) : undefined;
  } catch {
    return undefined;
  }
}

/** Tests run their cases both ways. */
export function switchDirectStreams(isOn: boolean): void {
  isSwitchedOff = !isOn;
}

/** Takes over a connected socket that has nothing left to write; undefined where that is not possible. Reading begins with start(). */
export function openDirectStream(socket: Socket, owner: DirectStreamOwner): DirectStream | undefined {
  const handle = (socket as unknown as { _handle: StreamHandle | null })._handle;
  if (STREAM === undefined || isSwitchedOff || handle === null || socket.connecting) return undefined;
  if (METHODS.some((name) => typeof handle[name] !== "function") || socket.writableLength > 0) return undefined;
  return new DirectStream(socket, handle, STREAM, owner);
}

export class DirectStream implements TurnEndTarget {
  readonly #socket: Socket;
  readonly #handle: StreamHandle;
  readonly #stream: StreamBinding;
  readonly #owner: DirectStreamOwner;
  /** Bytes that Node is writing, and those behind them: a TLS handle takes one write at a time. */
  #writing = 0;
  readonly #queue: (string | Buffer)[] = [];
  #queued = 0;
  #isScheduled = false;
  #isWriterWaiting = false;
  #ending: "no" | "end" | "close" = "no";

  constructor(socket: Socket, handle: StreamHandle, stream: StreamBinding, owner: DirectStreamOwner) {
    this.#socket = socket;
    this.#handle = handle;
    this.#stream = stream;
    this.#owner = owner;
  }

  /** Gives what the socket has read already; from now on bytes come to the owner. Does not read while `isPaused`. */
  start(isPaused: boolean): Buffer | undefined {
    const socket = this.#socket;
    const handle = this.#handle;
    const early: Buffer | null = socket.read();
    const state = this.#stream.streamBaseState;
    const index = this.#stream.kReadBytesOrError;
    const owner = this.#owner;
    const onEnd = handle.onread;
    handle.useUserBuffer(SHARED_BUFFER);
    // hot: two calls per request.
    handle.onread = function onDirectRead(bytes) {
      const length = state[index] ?? 0;
      if (length > 0) owner.onDirectRead(length);
      else onEnd.call(this, bytes);
    };
    // Flowing, so that the end of the stream becomes an event. It must not start or stop the handle itself.
    handle.reading = true;
    socket.resume();
    if (isPaused) this.pause();
    else this.resume();
    return early ?? undefined;
  }

  pause(): void {
    this.#handle.readStop();
  }

  resume(): void {
    if (!this.#socket.destroyed) this.#handle.readStart();
  }

  get hasUnsentBytes(): boolean {
    return this.#writing > 0 || this.#queued > 0 || this.#socket.writableLength > 0;
  }

  // hot: two calls per request.
  /** False: wait for onDirectDrain before you write more. `data` must not change any more. A broken connection destroys the socket. */
  write(data: string | Buffer): boolean {
    if (data.length === 0) return true;
    this.#queue.push(data);
    this.#queued += data.length;
    if (this.#writing === 0) {
      if (this.#isScheduled && this.#queued < HIGH_WATER) return true;
      if (this.#queued < HIGH_WATER && gathersWrites()) {
        this.#isScheduled = true;
        atTurnEnd(this);
        return true;
      }
      if (this.#isWrittenAtOnce(this.#takeQueue())) return true;
    }
    const isRoomy = this.#writing + this.#queued < HIGH_WATER;
    if (!isRoomy) this.#isWriterWaiting = true;
    return isRoomy;
  }

  onTurnEnd(): void {
    this.#isScheduled = false;
    this.flush();
  }

  /** Gives what waits for the end of the turn to the kernel. */
  flush(): void {
    if (this.#writing === 0 && this.#queue.length > 0 && !this.#socket.destroyed)
      this.#isWrittenAtOnce(this.#takeQueue());
  }

  /** Ends our side once everything is written. */
  end(): void {
    this.flush();
    if (this.#ending === "no") this.#ending = "end";
    if (this.#writing === 0) this.#socket.end();
  }

  /** Ends our side once everything is written, and closes then. */
  endAndClose(): void {
    this.flush();
    this.#ending = "close";
    if (this.#writing === 0) this.#socket.destroySoon();
  }

  #isWrittenAtOnce(data: string | Buffer): boolean {
    const request = spare ?? new this.#stream.WriteWrap();
    const isText = typeof data === "string";
    const status = isText ? this.#handle.writeLatin1String(request, data) : this.#handle.writeBuffer(request, data);
    const isKept = status === 0 && this.#stream.streamBaseState[this.#stream.kLastWriteWasAsync] !== 0;
    if (!isKept) {
      spare = request;
      if (status !== 0) this.#fail(status);
      return true;
    }
    spare = undefined;
    this.#writing = data.length;
    if (!isText) request.buffer = data;
    request.oncomplete = (result) => this.#onWritten(result);
    return false;
  }

  #onWritten(status: number): void {
    this.#writing = 0;
    if (this.#socket.destroyed) return;
    if (status < 0) {
      this.#fail(status);
      return;
    }
    if (this.#queue.length > 0 && !this.#isWrittenAtOnce(this.#takeQueue())) return;
    if (this.#ending === "end") this.#socket.end();
    else if (this.#ending === "close") this.#socket.destroySoon();
    if (!this.#isWriterWaiting) return;
    this.#isWriterWaiting = false;
    this.#owner.onDirectDrain();
  }

  #takeQueue(): string | Buffer {
    const queue = this.#queue;
    let data = queue[0] ?? "";
    if (queue.length > 1)
      data = queue.every((piece) => typeof piece === "string")
        ? queue.join("")
        : Buffer.concat(queue.map((piece) => (typeof piece === "string" ? Buffer.from(piece, "latin1") : piece)));
    queue.length = 0;
    this.#queued = 0;
    return data;
  }

  #fail(status: number): void {
    const code = getSystemErrorName(status);
    this.#socket.destroy(Object.assign(new Error(`write ${code}`), { code, errno: status, syscall: "write" }));
  }
}
