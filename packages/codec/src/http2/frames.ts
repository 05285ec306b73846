/** Numbers of the framing layer (RFC 9113 §4.1, §6). */
export const FRAME_HEADER_SIZE = 9;
/** The size we accept, which is also the smallest that a peer must accept. */
export const MAX_FRAME_SIZE = 16_384;
export const MAX_STREAM_ID = 0x7fff_ffff;
export const MAX_WINDOW = 0x7fff_ffff;
export const DEFAULT_WINDOW = 65_535;

export const FrameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const Flag = { ack: 0x1, endStream: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

export const SettingId = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  enableConnectProtocol: 8,
} as const;

export const CLIENT_PREFACE: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** The four bytes at `at`, without the top bit. */
export function readUint31(buffer: Buffer, at: number): number {
  return buffer.readUInt32BE(at) & 0x7fff_ffff;
}
